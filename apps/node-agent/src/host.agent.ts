/** The agent of a real host: bricks are mounted first, then Gluster may serve them, then tasks are taken. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type HostName, taskConsumerOf, tasksOf } from '@brickyard/contracts';
import { type Bus, type Check, describeError, type Logger, type Subscription } from '@brickyard/service-host';
import { type Agent, eventually } from './agent';
import type { AgentMetrics } from './agent-metrics';
import { type BrickWatch, watchBricks } from './brick-watch';
import type { TargetState } from './drivers/block-target.driver';
import type { GlusterdSupervisor } from './drivers/glusterd.supervisor';
import { type Drivers, execute } from './execute';
import { type FactsPublisher, publishFacts } from './facts.publisher';
import type { FaultPlan } from './faults';
import { type Lease, openLease } from './lease';
import type { TaskLedger } from './ledger';
import { consumeTasks } from './task.consumer';

const TASKS_AT_ONCE = 4;
/** Between two attempts to have bricks served: doubled each time. */
const SERVE_PAUSE_MS = 250;
const SERVE_PAUSE_MS_MAX = 30_000;
/** A look costs a program; pools fill over hours. */
const POOLS_MS = 50_000;
/** How soon a block volume whose daemon has died is offered again, at most. */
const TARGETS_LOOK_MS = 3_000;

/** What the agent of a host is made of. */
export interface HostAgentOptions {
  readonly bus: Bus;
  readonly log: Logger;
  readonly host: HostName;
  readonly drivers: Drivers;
  readonly ledger: TaskLedger;
  readonly faults: FaultPlan;
  readonly glusterd: GlusterdSupervisor;
  readonly tasksAtOnce?: number | undefined;
  /** Changes when something on the host does. */
  readonly signature?: () => Promise<string>;
  /** For how long commands may be begun; one of its own when absent. */
  readonly lease?: Lease | undefined;
  /** Absent: nobody counts. */
  readonly metrics?: AgentMetrics | undefined;
  /** True when neither bricks nor Gluster are real. */
  readonly simulated: boolean;
}

/** Makes the agent of one host. */
export const hostAgent = (options: HostAgentOptions): Agent => new HostAgent(options);

class HostAgent implements Agent {
  private readonly stopping = new AbortController();
  private facts: FactsPublisher | undefined;
  private tasks: Subscription | undefined;
  private readonly lease: Lease;
  private readonly bricks: BrickWatch;
  private withheld: readonly TargetState[] = [];
  private keeping: Promise<void> | undefined;
  private serving = new AbortController();
  private readingPools: Promise<void> | undefined;
  private poolsReadAt = -Infinity;

  constructor(private readonly options: HostAgentOptions) {
    this.lease = options.lease ?? openLease();
    this.bricks = watchBricks((notMounted) => options.metrics?.bricksNotMounted.set(notMounted.length));
  }

  async start(): Promise<void> {
    const { bus, log, host, drivers, glusterd, simulated, signature } = this.options;
    await this.mount();
    await glusterd.start();
    this.facts = publishFacts({
      bus,
      log,
      host,
      incarnation: randomUUID(),
      simulated,
      drivers,
      seenGeneration: () => this.options.ledger.newest,
      metrics: this.options.metrics,
      isSilent: () => this.options.faults.isSilent(host),
      onHeard: (saidAt) => {
        this.lease.confirm(saidAt);
      },
      ...(signature === undefined ? {} : { signature }),
      onLook: ({ bricks }) => {
        this.bricks.see(bricks);
        this.readingPools ??= this.readPools().finally(() => (this.readingPools = undefined));
      },
      onGlusterdStarted: () => void this.serve(),
    });
    this.keeping = this.keepTargets();
    const { signal } = this.stopping;
    this.tasks = await eventually('take tasks from the queue', () => this.consume(), { log, signal });
  }

  private async mount(): Promise<void> {
    const { drivers, log } = this.options;
    const states = await drivers.bricks.ensureMounted();
    const troubled = states.filter(({ mounted }) => !mounted);
    for (const { path, problem } of troubled) log.error({ path, problem }, 'a brick is not served');
    this.bricks.begin(states);
    log.info({ bricks: states.length, notServed: troubled.length }, 'bricks are mounted');
  }

  private consume(): Promise<Subscription> {
    const { bus, log, ledger, host, drivers, faults, tasksAtOnce = TASKS_AT_ONCE } = this.options;
    return consumeTasks({
      bus,
      log,
      ledger,
      filter: tasksOf(host),
      consumer: taskConsumerOf(host),
      concurrency: tasksAtOnce,
      isOurs: (wanted) => wanted === host,
      execute: (envelope) => faults.around(envelope, () => execute(envelope.task, drivers, envelope.secret)),
      lease: this.lease,
      onDone: ({ task }, { outcome, tookMs }) => {
        this.options.metrics?.tasks.inc({ task: task.type, outcome: outcome.kind });
        this.options.metrics?.seconds.observe({ task: task.type }, tookMs / 1_000);
        if (task.type === 'DeleteBrick' && outcome.kind === 'done') this.bricks.forget(task.brick.path);
        this.facts?.touch();
      },
    });
  }

  /** How full the pools are that clones share with what they were made of. */
  private async readPools(): Promise<void> {
    const { drivers, log, metrics } = this.options;
    if (drivers.bricks.readPools === undefined || metrics === undefined) return;
    if (performance.now() - this.poolsReadAt < POOLS_MS) return;
    this.poolsReadAt = performance.now();
    try {
      const pools = await drivers.bricks.readPools();
      metrics.thinPoolUsed.reset();
      for (const { pool, data, metadata } of pools) {
        metrics.thinPoolUsed.set({ pool, part: 'data' }, data);
        metrics.thinPoolUsed.set({ pool, part: 'metadata' }, metadata);
      }
    } catch (error) {
      log.warn({ err: error }, `the thin pools of this host cannot be read: ${describeError(error)}`);
    }
  }

  /**
   * glusterd has come up: bricks that were not mounted when it did are served now; nothing but mounted ones. Gluster refuses
   * while the pool does something else with the volume or its peers are not connected yet, so this goes on until all are served.
   */
  private async serve(): Promise<void> {
    this.serving.abort(); // Of a start before this one.
    this.serving = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, this.serving.signal]);
    let told = '';
    for (let pauseMs = SERVE_PAUSE_MS; !signal.aborted; pauseMs = Math.min(SERVE_PAUSE_MS_MAX, pauseMs * 2)) {
      const problems = await this.serveOnce();
      if (problems.length === 0) return;
      const news = problems.join('; ');
      if (news !== told) this.options.log.error(`bricks are not served yet: ${news}`);
      told = news;
      // Hosts that came up together would go on meeting each other.
      await pause(pauseMs * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async serveOnce(): Promise<readonly string[]> {
    const { bricks, volumes } = this.options.drivers;
    try {
      const mounted = new Set((await bricks.readBricks()).filter((brick) => brick.mounted).map(({ path }) => path));
      return await volumes.ensureServing((path) => mounted.has(path));
    } catch (error) {
      return [describeError(error)];
    }
  }

  /** Block volumes are offered again after a restart of whatever offers them, for as long as the agent lives. */
  private async keepTargets(): Promise<void> {
    const { drivers, log } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        this.tellTargets(await drivers.blocks.ensureServing());
      } catch (error) {
        log.warn({ err: error }, `block volumes were not looked after: ${describeError(error)}`);
      }
      await pause(TARGETS_LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined); // Stopping ends the pause.
    }
  }

  /** Once for each problem, and once when it is over. */
  private tellTargets(states: readonly TargetState[]): void {
    const { log } = this.options;
    const before = new Map(this.withheld.map(({ blockVolumeId, problem }) => [blockVolumeId, problem]));
    this.withheld = states.filter(({ isOffered }) => !isOffered);
    for (const { blockVolumeId, isOffered, problem } of states) {
      if (!isOffered && before.get(blockVolumeId) !== problem) {
        log.error({ blockVolumeId, problem }, 'a block volume is not offered');
      }
      if (isOffered && before.has(blockVolumeId)) log.info({ blockVolumeId }, 'a block volume is offered again');
    }
  }

  async ready(): Promise<Record<string, Check>> {
    const glusterd = await this.options.drivers.volumes.readHealth();
    const { notMounted } = this.bricks;
    return {
      bus: { ok: this.options.bus.connected },
      tasks: { ok: this.tasks !== undefined },
      glusterd: { ok: glusterd === 'running', detail: glusterd },
      targets: {
        ok: this.withheld.length === 0,
        ...(this.withheld.length === 0
          ? {}
          : { detail: `not offered: ${this.withheld.map(({ blockVolumeId }) => blockVolumeId).join(', ')}` }),
      },
      bricks: {
        ok: notMounted.length === 0,
        ...(notMounted.length === 0 ? {} : { detail: `not mounted: ${notMounted.join(', ')}` }),
      },
    };
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.options.faults.close();
    await this.tasks?.close();
    await this.facts?.close();
    await this.keeping;
    await this.readingPools;
    await this.options.glusterd.stop();
  }
}
