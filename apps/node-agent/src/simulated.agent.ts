/** One process that plays every storage host: any name that is asked for is a host from then on. */
import { randomUUID } from 'node:crypto';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  FACTS_WANTED_ALL,
  factsOf,
  factsWantedOf,
  type Heartbeat,
  heartbeatOf,
  HostName,
  PROBES_ALL,
  probeOf,
  type ProbeReply,
  SIMULATED_OUTCOMES,
  SIMULATED_TASK_CONSUMER,
  TASKS_ALL,
} from '@brickyard/contracts';
import { type Bus, type Check, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import { type Agent, eventually } from './agent';
import type { AgentMetrics } from './agent-metrics';
import { convergingVolumeDriver } from './drivers/gluster/converging.volume-driver';
import { directoryBrickDriver } from './drivers/simulated/directory.brick-driver';
import type { RecordedBlocks } from './drivers/simulated/recorded.blocks';
import type { RecordedGlusters } from './drivers/simulated/recorded.gluster';
import { type Drivers, execute } from './execute';
import { HEARTBEAT_MS } from './facts.publisher';
import { lookAtHost, messagesOf } from './host-facts';
import type { FaultPlan } from './faults';
import { type Journal, openJournal } from './journal';
import type { TaskLedger } from './ledger';
import { ALWAYS_HEARD } from './lease';
import { consumeTasks } from './task.consumer';

const TASKS_AT_ONCE = 64;
/** Facts of a few hosts a second: with hundreds of hosts and thousands of volumes they would be all there is. */
const FACTS_MS = 250;
/** Of the time of this process that facts may take: those of each host tell of every volume of its pool. */
const FACTS_SHARE = 0.05;
/** Simulated peers answer at once or not at all. */
const PATIENCE = { lockedMs: 1_000, awayMs: 500, firstPauseMs: 100, pauseMsMax: 500 };

/** What every simulated host says of itself: its Gluster pretends to clone, so its bricks may be cloned. */
const ALIKE = { glusterd: 'running', simulated: true, brickDriver: 'directory', clones: true } as const;

/** What the simulated hosts are made of. */
export interface SimulatedAgentOptions {
  readonly bus: Bus;
  readonly log: Logger;
  readonly directory: string;
  readonly mountRoot: string;
  readonly deviceSizeKib: number;
  readonly ledger: TaskLedger;
  readonly glusters: RecordedGlusters;
  readonly blocks: RecordedBlocks;
  readonly faults: FaultPlan;
  readonly tasksAtOnce?: number | undefined;
  /** Absent: nobody counts. */
  readonly metrics?: AgentMetrics | undefined;
}

/** Makes the agent of all simulated hosts. */
export const simulatedAgent = (options: SimulatedAgentOptions): Agent => new SimulatedAgent(options);

const Line = z.strictObject({ host: HostName });

class SimulatedAgent implements Agent {
  private readonly hosts = new Map<HostName, Drivers>();
  private readonly incarnation = randomUUID();
  private readonly stopping = new AbortController();
  private readonly dirty = new Set<HostName>();
  private readonly timers: NodeJS.Timeout[] = [];
  /** When facts may be told again. */
  private factsFrom = 0;
  private known: Journal | undefined;
  private subscriptions: Subscription[] = [];
  private forget: () => void = () => undefined;

  constructor(private readonly options: SimulatedAgentOptions) {}

  async start(): Promise<void> {
    const { bus, log, directory } = this.options;
    // These hosts stand for machines of their own: they must not take the time of the control plane beside them.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    this.known = await openJournal(join(directory, 'hosts.journal'), { sync: false }, (line) => {
      const { host } = Line.parse(line);
      this.hosts.set(host, this.driversOf(host));
    });
    // As after any start of an agent: something may have happened to a host while nobody looked, and nobody asks again.
    for (const host of this.hosts.keys()) this.dirty.add(host);
    this.subscriptions.push(
      bus.respond(PROBES_ALL, (_, subject) => this.answer(subject)),
      bus.subscribe(FACTS_WANTED_ALL, (_, subject) => {
        const host = hostIn(subject, factsWantedOf);
        if (this.hosts.has(host)) this.dirty.add(host);
      }),
    );
    this.forget = bus.onConnected(() => {
      this.beat();
    });
    this.timers.push(
      setInterval(() => {
        this.beat();
      }, HEARTBEAT_MS),
      setInterval(() => void this.tellFacts(), FACTS_MS),
    );
    this.options.metrics?.glusterdUp.set(1); // A simulated one does not fail by itself.
    this.beat();
    const { signal } = this.stopping;
    const tasks = await eventually('take tasks from the queue', () => this.consume(), { log, signal });
    if (tasks !== undefined) this.subscriptions.push(tasks);
    log.info({ hosts: this.hosts.size }, 'every storage host is simulated');
  }

  private driversOf(host: HostName): Drivers {
    const { directory, mountRoot, deviceSizeKib, glusters, blocks } = this.options;
    return {
      bricks: directoryBrickDriver({
        directory: join(directory, 'hosts', host),
        mountRoot,
        deviceSizeKib,
        clones: true,
      }),
      volumes: convergingVolumeDriver(glusters.on(host), { mountRoot, patience: PATIENCE }),
      blocks: blocks.on(host),
    };
  }

  /** The host of this name, there from now on. */
  private async host(host: HostName): Promise<Drivers> {
    const found = this.hosts.get(host);
    if (found !== undefined) return found;
    const made = this.driversOf(host);
    this.hosts.set(host, made);
    await this.known?.append({ host } satisfies z.infer<typeof Line>);
    this.options.log.info({ host }, 'a simulated host was asked for and is there now');
    this.beatOf(host);
    return made;
  }

  private async answer(subject: string): Promise<ProbeReply> {
    const host = hostIn(subject, probeOf);
    if (this.options.faults.isSilent(host)) throw new Unavailable(`${host} is switched off`);
    await this.host(host);
    return { ...ALIKE, host, incarnation: this.incarnation };
  }

  private consume(): Promise<Subscription> {
    const { bus, log, ledger, faults, glusters, tasksAtOnce = TASKS_AT_ONCE } = this.options;
    return consumeTasks({
      bus,
      log,
      ledger,
      filter: TASKS_ALL,
      consumer: SIMULATED_TASK_CONSUMER,
      concurrency: tasksAtOnce,
      isOurs: () => true,
      outcomesTo: SIMULATED_OUTCOMES,
      lease: ALWAYS_HEARD,
      execute: async (envelope) => {
        glusters.introduce(envelope.nodeId, envelope.host);
        const drivers = await this.host(envelope.host);
        return faults.around(envelope, () => execute(envelope.task, drivers, envelope.secret));
      },
      onDone: ({ host, task }, { outcome, tookMs }) => {
        this.options.metrics?.tasks.inc({ task: task.type, outcome: outcome.kind });
        this.options.metrics?.seconds.observe({ task: task.type }, tookMs / 1_000);
        this.dirty.add(host);
      },
    });
  }

  private beat(): void {
    for (const host of this.hosts.keys()) this.beatOf(host);
  }

  private beatOf(host: HostName): void {
    if (this.options.faults.isSilent(host)) return;
    const { incarnation } = this;
    const beat: Heartbeat = { ...ALIKE, host, incarnation, intervalMs: HEARTBEAT_MS };
    this.options.bus.publish(heartbeatOf(host), beat);
  }

  /** One host at a time, and none while the one before is still being paid for. */
  private async tellFacts(): Promise<void> {
    const [host] = this.dirty;
    if (host === undefined || performance.now() < this.factsFrom) return;
    const from = performance.now();
    this.factsFrom = Infinity;
    await this.tellFactsOf(host);
    const now = performance.now();
    this.factsFrom = now + (now - from) / FACTS_SHARE;
  }

  private async tellFactsOf(host: HostName): Promise<void> {
    this.dirty.delete(host);
    const drivers = this.hosts.get(host);
    if (drivers === undefined || this.options.faults.isSilent(host)) return;
    const { newest: seenGeneration } = this.options.ledger;
    const identity = { host, incarnation: this.incarnation, simulated: true, seenGeneration };
    const look = await lookAtHost(identity, drivers, 'running').catch(() => undefined); // Switched off meanwhile.
    for (const message of look === undefined ? [] : messagesOf(look)) this.options.bus.publish(factsOf(host), message);
  }

  ready(): Promise<Record<string, Check>> {
    return Promise.resolve({
      bus: { ok: this.options.bus.connected },
      tasks: { ok: this.subscriptions.length > 2 },
      hosts: { ok: true, detail: `${String(this.hosts.size)} simulated hosts` },
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.options.faults.close();
    for (const timer of this.timers) clearInterval(timer);
    this.forget();
    for (const subscription of this.subscriptions.reverse()) await subscription.close();
    await this.known?.close();
  }
}

/** The host that a question is for: its subject's second word, unescaped. */
function hostIn(subject: string, subjectOf: (host: HostName) => string): HostName {
  const token = subject.split('.')[1] ?? '';
  const name = token.replace(/_([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  const host = HostName.parse(name);
  if (subjectOf(host) !== subject) throw new RangeError(`${subject} names no host`);
  return host;
}
