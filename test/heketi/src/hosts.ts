/** The storage hosts that rows register: names that nobody has, or a few that are really there. */
import { newName } from './names';

/** A host and its devices, not registered yet. */
export interface SpareHost {
  readonly address: string;
  readonly devices: readonly string[];
}

/** Where rows get their hosts from, and bring them back to. */
export interface Hosts {
  /** Hosts with at least so many devices; throws `NotPossibleHere`. */
  take(count: number, devices: number): Promise<readonly SpareHost[]>;
  /** It is registered no longer. */
  give(address: string): void;
  /** What is done before there are too few: those that are registered, but not in use, are given back. */
  onShortage(giveBack: () => Promise<void>): void;
}

/** A row wants more hosts than there are, or what they cannot do: nothing is wrong with the server. */
export class NotPossibleHere extends Error {
  override readonly name = 'NotPossibleHere';
}

const LETTERS = 'bcdefghijklm';

/** A new name each time, for servers whose hosts are simulated. */
export const madeUpHosts: Hosts = {
  take: (count, devices) =>
    Promise.resolve(
      Array.from({ length: count }, () => ({
        address: newName('host'),
        devices: Array.from({ length: devices }, (_, index) => `/dev/sd${LETTERS.charAt(index)}`),
      })),
    ),
  give: () => undefined,
  onShortage: () => undefined,
};

/** These hosts and no others; each is one row's at a time. */
export function hostPool(all: readonly SpareHost[]): Hosts {
  const free = new Map(all.map((host) => [host.address, host]));
  let giveBack = (): Promise<void> => Promise.resolve();
  const fit = (devices: number): SpareHost[] => [...free.values()].filter((host) => host.devices.length >= devices);
  return {
    async take(count, devices) {
      if (fit(devices).length < count) await giveBack();
      const taken = fit(devices).slice(0, count);
      if (taken.length < count) {
        const wanted = `${String(count)} hosts with ${String(devices)} devices`;
        throw new NotPossibleHere(`it takes ${wanted}; ${String(taken.length)} are free`);
      }
      for (const { address } of taken) free.delete(address);
      return taken.map(({ address, devices: names }) => ({ address, devices: names.slice(0, devices) }));
    },
    give(address) {
      const host = all.find((one) => one.address === address);
      if (host !== undefined) free.set(address, host);
    },
    onShortage(work) {
      giveBack = work;
    },
  };
}
