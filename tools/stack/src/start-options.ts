/** The command line of `npm start`. */
import { parseArgs } from 'node:util';
import { hostsSupported } from '@brickyard/hosts';
import { dataDirOf, typedPath } from './default-data';
import type { HostsKind, StackOptions } from './options';
import { kibFrom } from './sizes';

const NODES_MAX = 200;
const PORT_DEFAULT = 8080;
/** A brick needs at least this much device to be on. */
const DEVICE_KIB_MIN = 2 * 1024 * 1024;

export const USAGE = `npm start -- [options]     starts Brickyard on this machine

  --hosts real|simulated   storage hosts with Gluster in network namespaces (root on Linux), or played ones;
                           real where that is possible
  --nodes N                storage hosts, 3 when absent; with 0 nothing is registered
  --unregistered           the hosts run, and nobody registers them: topology.json beside the data is for you to load
  --port N                 port of the API on 127.0.0.1, ${String(PORT_DEFAULT)} when absent; 0 takes a free one
  --data DIR               where everything is kept, .brickyard when absent; another start goes on from there
  --fresh                  deletes what is kept there first
  --config FILE            configuration file of heketi's; its keys, port and policies are used
  --device-size SIZE       size of each device, such as 500GiB (20GiB when absent); takes only the room that is written
  --objects                an object gateway (S3), too, on a volume of its own
  --faults FILE            faults for the agents to produce
  --help                   this text
`;

/** A command line that cannot be followed; the message says why in one line. */
export class WrongOption extends Error {}

/** What was asked for, and why the hosts are not real when they could have been meant to be. */
export interface StartOptions extends StackOptions {
  readonly isHelp: boolean;
  readonly whySimulated?: string;
}

/** Reads the arguments; `filePort` is the one of heketi's configuration file. */
export function startOptionsFrom(
  argv: readonly string[],
  filePort: (file: string) => number | undefined,
): StartOptions {
  const given = parse(argv);
  const { hosts, whySimulated } = hostsFrom(given.hosts);
  const configFile = given.config === undefined ? undefined : typedPath(given.config);
  const fromFile = configFile === undefined ? undefined : filePort(configFile);
  return {
    isHelp: given.help ?? false,
    hosts,
    ...(whySimulated === undefined ? {} : { whySimulated }),
    nodes: numberFrom('--nodes', given.nodes, NODES_MAX) ?? 3,
    loadTopology: given.nodes !== '0' && given.unregistered !== true,
    port: numberFrom('--port', given.port, 65_535) ?? fromFile ?? PORT_DEFAULT,
    dataDir: dataDirOf(given.data),
    fresh: given.fresh ?? false,
    objects: given.objects === true ? 1 : 0,
    ...(configFile === undefined ? {} : { configFile }),
    ...(given['device-size'] === undefined ? {} : { deviceSizeKib: sizeFrom(given['device-size']) }),
    ...(given.faults === undefined ? {} : { faultsFile: typedPath(given.faults) }),
  };
}

interface Given {
  readonly hosts?: string;
  readonly nodes?: string;
  readonly port?: string;
  readonly data?: string;
  readonly fresh?: boolean;
  readonly config?: string;
  readonly 'device-size'?: string;
  readonly faults?: string;
  readonly objects?: boolean;
  readonly unregistered?: boolean;
  readonly help?: boolean;
}

function parse(argv: readonly string[]): Given {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const values = { hosts: text, nodes: text, port: text, data: text, config: text, 'device-size': text, faults: text };
  try {
    const flags = { objects: flag, fresh: flag, unregistered: flag, help: flag };
    return parseArgs({ args: [...argv], options: { ...values, ...flags } }).values;
  } catch (error) {
    throw new WrongOption(error instanceof Error ? error.message : String(error));
  }
}

function hostsFrom(asked: string | undefined): { hosts: HostsKind; whySimulated?: string } {
  if (asked === 'simulated') return { hosts: asked };
  if (asked !== undefined && asked !== 'real') throw new WrongOption(`--hosts is real or simulated, not "${asked}"`);
  const { supported, missing } = hostsSupported();
  if (supported) return { hosts: 'real' };
  const reason = `real storage hosts need ${missing.join(', ')}`;
  if (asked === 'real') throw new WrongOption(reason);
  return { hosts: 'simulated', whySimulated: reason };
}

function numberFrom(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= max) return number;
  throw new WrongOption(`${name} is a number from 0 to ${String(max)}, not "${text}"`);
}

function sizeFrom(text: string): number {
  const kib = kibFrom(text);
  if (kib !== undefined && kib >= DEVICE_KIB_MIN) return kib;
  throw new WrongOption(`--device-size is a size of at least 2GiB such as 500GiB, not "${text}"`);
}
