/** One run's world: servers, hosts, processes, and what can happen to them. */
import type { CommandEnvelope, HostName } from '@brickyard/contracts';
import type { LedgerStorage } from '@brickyard/event-sourcing/postgres';
import { createLogger, type Logger } from '@brickyard/service-host';
import { SimulatedBus } from './bus';
import { copyOfPlatter, cutPower, emptyPlatter, type Platter } from './disk';
import { SimulatedGlusters } from './gluster';
import { Kernel, Proc } from './kernel';
import { ledgerStorageOf } from './ledger-storage';
import { type NatsSabotage, SimulatedNats } from './nats';
import { Network } from './network';
import {
  copyOfTables,
  emptyTables,
  type PostgresSabotage,
  SimulatedPostgres,
  type Tables,
  type Written,
} from './postgres';
import type { Decided } from './product';
import type { Random } from './random';

/** Faults of the system itself, put in on purpose to see that a run finds them. */
export interface Sabotage {
  readonly postgres?: PostgresSabotage;
  readonly nats?: NatsSabotage;
  /** The agent's memory of tasks is not synced, or has no fence; or it begins commands whoever hears of it. */
  readonly agent?: { readonly unsynced?: boolean; readonly unfenced?: boolean; readonly unleased?: boolean };
}

/** What is on disks: a world begins with it and leaves it. */
export interface Matter {
  readonly tables: Tables;
  readonly pool: Platter;
  readonly hosts: ReadonlyMap<HostName, Platter>;
}

export const emptyMatter = (hosts: readonly HostName[]): Matter => ({
  tables: emptyTables(),
  pool: emptyPlatter(),
  hosts: new Map(hosts.map((host) => [host, emptyPlatter()])),
});

export const copyOfMatter = ({ tables, pool, hosts }: Matter): Matter => ({
  tables: copyOfTables(tables),
  pool: copyOfPlatter(pool),
  hosts: new Map([...hosts].map(([host, platter]) => [host, copyOfPlatter(platter)])),
});

/** How a world is made. */
export interface WorldOptions {
  readonly random: Random;
  readonly matter: Matter;
  readonly deviceSizeKib: number;
  readonly snapshotEvents: number;
  readonly sabotage: Sabotage;
  readonly onCommit: (written: readonly Written[]) => void;
  /** An agent begins a command for a task. */
  readonly onTaskCommand: (host: HostName) => void;
  /** Gets every line of the trace; absent: nothing is traced. */
  readonly onTrace?: (line: string) => void;
}

/** What clients use of a gateway. */
export interface Gateway {
  readonly proc: Proc;
  send(envelope: CommandEnvelope): Promise<Decided>;
}

/** A process that is started again when it ends. */
interface Slot {
  readonly name: string;
  proc: Proc | undefined;
  isWanted: boolean;
  readonly main: (proc: Proc) => Promise<void>;
}

const RESTART_MS = 200;

export class World {
  readonly kernel: Kernel;
  readonly network: Network;
  readonly postgres: SimulatedPostgres;
  readonly nats: SimulatedNats;
  readonly matter: Matter;
  /** Chance that a call to a disk fails. */
  diskFailures = 0;
  /** Somebody has changed volumes past the system: differences will be open in the end. */
  isMeddledWith = false;
  readonly gateways = new Map<string, Gateway>();
  private readonly slots = new Map<string, Slot>();
  private opened: SimulatedGlusters | undefined;

  constructor(readonly options: WorldOptions) {
    this.kernel = new Kernel(options.random);
    this.network = new Network(this.kernel);
    this.matter = options.matter;
    const { sabotage } = options;
    this.postgres = new SimulatedPostgres(
      this.kernel,
      this.network,
      options.matter.tables,
      sabotage.postgres ?? {},
      options.onCommit,
    );
    this.nats = new SimulatedNats(this.kernel, this.network, sabotage.nats ?? {}, (line) => {
      this.trace(line);
    });
  }

  /** Runs a check outside the run's own call stack: what it throws ends the run with the next step. */
  watch(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.kernel.afterStep = () => {
        throw error;
      };
    }
  }

  /** Must be called before anything is started. */
  async open(): Promise<void> {
    this.opened = await SimulatedGlusters.open(this.kernel, this.matter.pool);
  }

  get glusters(): SimulatedGlusters {
    if (this.opened === undefined) throw new Error('the world is not open yet');
    return this.opened;
  }

  trace(line: string | (() => string)): void {
    const { onTrace } = this.options;
    if (onTrace === undefined) return;
    const who = this.kernel.current?.name ?? 'world';
    onTrace(
      `${this.kernel.now.toFixed(3).padStart(11)}  ${who.padEnd(12)}  ${typeof line === 'string' ? line : line()}`,
    );
  }

  logOf(proc: Proc): Logger {
    const { onTrace } = this.options;
    if (onTrace === undefined) return silent;
    return createLogger(
      { service: proc.name, level: 'info' },
      {
        write: (text) => {
          this.trace(`log ${withoutTime(text)}`);
        },
      },
    );
  }

  busOf(proc: Proc): SimulatedBus {
    return new SimulatedBus(this.kernel, this.network, this.nats, proc, this.logOf(proc));
  }

  storageOf(proc: Proc): LedgerStorage {
    return ledgerStorageOf(this.postgres, this.network, proc);
  }

  /** Begins to run a process, again whenever it has ended. */
  add(name: string, main: Slot['main']): void {
    const slot: Slot = { name, proc: undefined, isWanted: true, main };
    this.slots.set(name, slot);
    this.run(slot);
  }

  private run(slot: Slot): void {
    if (!slot.isWanted || slot.proc?.isAlive === true) return;
    const proc = new Proc(slot.name);
    slot.proc = proc;
    this.kernel.later(
      this.kernel.random.between(1, 50),
      () => {
        this.trace('starts');
        slot.main(proc).catch((error: unknown) => {
          this.exit(proc, error instanceof Error ? error.message : String(error));
        });
      },
      proc,
    );
  }

  /** The process ends by itself and is started again. */
  exit(proc: Proc, reason: string): void {
    if (!proc.isAlive) return;
    this.trace(`ends: ${reason}`);
    this.bury(proc);
    this.kernel.outside(RESTART_MS, () => {
      this.startSlot(proc.name);
    });
  }

  private bury(proc: Proc): void {
    proc.isAlive = false;
    this.gateways.delete(proc.name);
    this.network.procDied(proc);
  }

  /** SIGKILL; it comes back after so long. */
  kill(name: string, backAfterMs: number): void {
    const slot = this.slots.get(name);
    if (slot?.proc?.isAlive !== true) return;
    this.trace(`kills ${name} for ${String(Math.round(backAfterMs))} ms`);
    slot.isWanted = false;
    this.bury(slot.proc);
    this.kernel.outside(backAfterMs, () => {
      slot.isWanted = true;
      this.startSlot(name);
    });
  }

  /** SIGSTOP and, after so long, SIGCONT. */
  stall(name: string, forMs: number): void {
    const proc = this.slots.get(name)?.proc;
    if (proc?.isAlive !== true) return;
    this.trace(`stops ${name} for ${String(Math.round(forMs))} ms`);
    proc.stalledUntil = this.kernel.now + forMs;
  }

  private readonly dark = new Set<string>();

  /** Power loss of a storage host: agent and daemon die, what was not synced is gone. */
  crashHost(host: HostName, backAfterMs: number): void {
    if (this.dark.has(host)) return;
    this.trace(`cuts the power of ${host} for ${String(Math.round(backAfterMs))} ms`);
    this.dark.add(host);
    const slot = this.slots.get(host);
    if (slot?.proc?.isAlive === true) this.bury(slot.proc);
    this.glusters.kill(host);
    const platter = this.matter.hosts.get(host);
    if (platter !== undefined) cutPower(platter, this.kernel);
    this.kernel.outside(backAfterMs, () => {
      this.bootHost(host);
    });
  }

  private bootHost(host: HostName): void {
    if (!this.dark.delete(host)) return;
    this.trace(`boots ${host}`);
    this.glusters.start(host);
    this.startSlot(host);
  }

  /** The daemon comes back, unless its host is without power. */
  startGlusterd(host: HostName): void {
    if (!this.dark.has(host)) this.glusters.start(host);
  }

  private startSlot(name: string): void {
    const slot = this.slots.get(name);
    if (slot !== undefined && !this.dark.has(name)) this.run(slot);
  }

  /** Everything works again: servers, network, hosts, processes. */
  heal(): void {
    this.trace('heals everything');
    this.diskFailures = 0;
    this.glusters.onNextCommand(() => undefined);
    Object.assign(this.glusters.mood, { slow: 0, failing: 0, silent: 0 });
    this.network.mendAll();
    this.postgres.restart();
    this.nats.restart();
    for (const host of this.matter.hosts.keys()) {
      this.bootHost(host);
      this.glusters.start(host);
    }
    for (const slot of this.slots.values()) {
      slot.isWanted = true;
      if (slot.proc !== undefined) slot.proc.stalledUntil = 0;
      this.startSlot(slot.name);
    }
  }
}

const silent = createLogger({ service: 'simulated', level: 'silent' });

/** The trace has its own clock. */
const withoutTime = (text: string): string => text.trim().replace(/"time":"[^"]*",?/, '');
