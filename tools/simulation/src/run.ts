/** One seed: a cluster, clients, trouble, then calm; what must hold is looked at after every step. */
import { createHash } from 'node:crypto';
import {
  type ClientCommand,
  factsWantedOf,
  gib,
  kibOf,
  type OperationId,
  OUTCOMES_STREAM,
  TASKS_STREAM,
} from '@brickyard/contracts';
import { proposalsFor } from '@brickyard/domain';
import { agentMain } from './agent.process';
import { allocatorMain } from './allocator.process';
import { replaceAmbient } from './ambient';
import { Clients, describe } from './clients';
import { gatewayMain } from './gateway.process';
import { checkHosts, inventoryOf } from './host-checks';
import { demand, LedgerChecks, Violation } from './ledger-checks';
import { detachSomebody, planTroubles, strike, type Trouble } from './nemesis';
import { type Random, randomFrom } from './random';
import { anyCommand, hostNamed, topology } from './workload';
import { copyOfMatter, emptyMatter, type Matter, type Sabotage, World } from './world';

/** How one run is made. */
export interface RunOptions {
  readonly seed: number;
  readonly sabotage?: Sabotage;
  /** Gets every line of the trace. */
  readonly onTrace?: (line: string) => void;
  /** Leaves these troubles and commands out, by their place in the plan: what a shrinker does. */
  readonly without?: { readonly troubles: ReadonlySet<number>; readonly commands: ReadonlySet<number> };
}

/** What came of a run. */
export interface RunReport {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly events: number;
  /** Says in a few digits what happened, step by step: equal for equal runs. */
  readonly digest: string;
  readonly troubles: number;
  readonly commands: number;
}

const ALLOCATORS = ['allocator-1', 'allocator-2'];
const GATEWAYS = ['gateway-1', 'gateway-2'];
const DEVICE_KIB = kibOf(gib(40));
const SNAPSHOT_EVENTS = 60;
/** Longer than anything is waited out: Gluster's lock (240 s), twice, and the retries after it. */
const REST_MS = 20 * 60_000;
const SETTLE_MS = 100;
/** How often an operator looks what operations wait for. */
const OPERATOR_MS = 5 * 60_000;
/** A difference counts when it was seen twice; the second look is asked for at once. */
const DRIFT_SEEN_MS = 20_000;
/** What is done about one difference may uncover another. */
const DRIFT_ROUNDS = 5;
const RESTORE = ['RestoreDrift'] as const;
const ACCEPT = ['AcceptDrift'] as const;

interface PlannedCommand {
  readonly atMs: number;
  readonly repeatsOld: boolean;
}

interface Plan {
  readonly nodes: number;
  readonly stormMs: number;
  readonly troubles: readonly Trouble[];
  readonly commands: readonly PlannedCommand[];
}

function planFrom(random: Random): Plan {
  const stormMs = random.between(5_000, 40_000);
  const commands = Array.from({ length: 2 + random.below(14) }, () => ({
    atMs: random.between(0, stormMs),
    repeatsOld: random.chance(0.15),
  }));
  return { nodes: 3 + random.below(3), stormMs, commands, troubles: planTroubles(random, random.below(7), stormMs) };
}

/** A run in progress. */
interface Scene {
  readonly world: World;
  readonly checks: LedgerChecks;
  readonly clients: Clients;
}

/** What a run begins with, and what has been seen of its log. */
interface Beginning {
  readonly matter: Matter;
  readonly checks: LedgerChecks;
}

async function sceneOf(
  nodes: number,
  { matter, checks }: Beginning,
  random: Random,
  { sabotage = {}, onTrace }: Pick<RunOptions, 'sabotage' | 'onTrace'>,
): Promise<Scene> {
  const world: World = new World({
    random,
    matter,
    deviceSizeKib: DEVICE_KIB,
    snapshotEvents: SNAPSHOT_EVENTS,
    sabotage,
    onCommit: (written) => {
      for (const { event } of written)
        world.trace(
          () => `commits ${String(event.position)} ${event.type} ${JSON.stringify(event.data).slice(0, 160)}`,
        );
      checks.take(written, random.chance(0.05));
    },
    onTaskCommand: (host) => {
      checks.checkSpeaks(host);
    },
    ...(onTrace === undefined ? {} : { onTrace }),
  });
  await world.open();
  for (const name of ALLOCATORS) world.add(name, (proc) => allocatorMain(world, proc));
  for (let number = 1; number <= nodes; number++) {
    const host = hostNamed(number);
    world.add(host, (proc) => agentMain(world, proc, host));
  }
  for (const name of GATEWAYS) {
    world.add(name, async (proc) => {
      world.gateways.set(name, await gatewayMain(world, proc));
    });
  }
  return { world, checks, clients: new Clients(world, checks) };
}

/** Nothing is open any more; residue may stay for as long as a difference does that somebody has made by hand. */
const isAtRest = ({ world, checks, clients }: Scene, mayLeave: 'nothing' | 'residue'): boolean =>
  checks.state.operations.size === 0 &&
  clients.waiting === 0 &&
  [...checks.state.nodes.values()].every(
    ({ lostSince, residue }) => lostSince === undefined && (mayLeave === 'residue' || residue.length === 0),
  ) &&
  world.nats.queued(TASKS_STREAM) === 0 &&
  world.nats.queued(OUTCOMES_STREAM) === 0;

async function quiet(scene: Scene, mayLeave: 'nothing' | 'residue' = 'nothing'): Promise<void> {
  const { world } = scene;
  const { kernel } = world;
  const deadline = kernel.now + REST_MS;
  const isRest = (): boolean => isAtRest(scene, mayLeave);
  while (!(await kernel.runUntil(isRest, Math.min(deadline, kernel.now + OPERATOR_MS)))) {
    demand(kernel.now < deadline, 'every operation ends', () => whatIsOpen(scene));
    if (world.isMeddledWith) await startWhatHeals(scene);
  }
  await kernel.runUntil(() => false, kernel.now + SETTLE_MS);
}

async function rest(scene: Scene): Promise<void> {
  await quiet(scene);
  checkHosts(scene.world.matter, scene.checks.state);
}

/**
 * A volume that was stopped by hand in the middle of a heal, or under a block volume that goes: the operation waits, and says
 * that it must be started.
 */
async function startWhatHeals({ world, checks }: Scene): Promise<void> {
  const host = [...world.matter.hosts.keys()].find((one) => !world.glusters.isDown(one));
  if (host === undefined) return;
  const gluster = world.glusters.recorded.on(host);
  const hosting = new Set(
    [...checks.state.blockVolumes.values()].filter((one) => one.operationId).map((one) => one.hostingVolumeId),
  );
  const busy = new Set(
    [...checks.state.volumes.values()]
      .filter(({ operationId, volumeId }) => operationId !== undefined || hosting.has(volumeId))
      .map(({ spec }) => spec.name),
  );
  for (const { name, status } of await gluster.volumes()) {
    if (status !== 'started' && busy.has(name)) await gluster.start(name, true);
  }
}

/** Waits until every difference must have been seen, and settles them one after the other, as an operator would. */
async function settleDrift(scene: Scene): Promise<void> {
  const { world, checks, clients } = scene;
  const { kernel } = world;
  for (let round = 0; round < DRIFT_ROUNDS; round++) {
    await quiet(scene, 'residue');
    // Simulated hosts are not asked now and then: nobody but us changes them, as a rule.
    for (const host of world.matter.hosts.keys()) world.nats.publish(factsWantedOf(host), '{}');
    await kernel.runUntil(() => false, kernel.now + DRIFT_SEEN_MS);
    await quiet(scene, 'residue');
    const open = [...checks.state.drift.values()].sort((one, other) => one.sincePosition - other.sincePosition);
    if (open.length === 0) return;
    for (const { driftId } of open) {
      const drift = checks.state.drift.get(driftId);
      if (drift === undefined) continue; // Settled by what was done about another.
      const { restore, accept } = proposalsFor(drift, checks.state);
      const ways = [...(restore.possible ? RESTORE : []), ...(accept.possible ? ACCEPT : [])];
      const type = kernel.random.oneOf(ways);
      if (type === undefined) continue;
      const operationId = kernel.random.hex(32) as OperationId;
      clients.send(kernel.random.hex(32), { type, operationId, driftId });
      await kernel.runUntil(() => false, kernel.now + SETTLE_MS);
      await quiet(scene, 'residue');
    }
  }
  demand(checks.state.drift.size === 0, 'every difference can be settled', () =>
    [...checks.state.drift.values()]
      .map((drift) => {
        const { restore, accept } = proposalsFor(drift, checks.state);
        const why = (way: typeof restore): string => (way.possible ? 'possible' : way.reason);
        return `${drift.class} ${JSON.stringify(drift.subject)}: ${drift.found}; restore: ${why(restore)}; accept: ${why(accept)}`;
      })
      .join('\n    '),
  );
}

function whatIsOpen({ world, checks, clients }: Scene): string {
  const operations = [...checks.state.operations.values()].map(({ operationId, plan, current, retry }) => {
    const tasks = [...(current?.tasks.values() ?? [])].map(
      ({ planned, status }) => `${planned.taskId.slice(33)} on ${planned.host} ${status}`,
    );
    return `${plan.kind} ${operationId.slice(0, 8)} ${retry === undefined ? '' : 'pauses '}[${tasks.join(', ')}]`;
  });
  const nodes = [...checks.state.nodes.values()].flatMap(({ hostnames, lostSince, residue }) => [
    ...(lostSince === undefined ? [] : [`${hostnames.manage[0] ?? ''} lost since ${lostSince}`]),
    ...(residue.length === 0
      ? []
      : [`${hostnames.manage[0] ?? ''} has residue ${residue.map(({ task }) => task.type).join(', ')}`]),
  ]);
  const queues = [TASKS_STREAM, OUTCOMES_STREAM].flatMap((name) => world.nats.describeQueue(name));
  return [...operations, ...nodes, ...queues, `${String(clients.waiting)} commands without answer`].join('\n    ');
}

const prepared = new Map<number, Beginning>();

/** A cluster of so many nodes, made once by the same processes without any trouble. */
async function clusterOf(nodes: number): Promise<Beginning> {
  const known = prepared.get(nodes);
  if (known !== undefined) return known;
  const random = randomFrom(nodes);
  const matter = emptyMatter(Array.from({ length: nodes }, (_, index) => hostNamed(index + 1)));
  const beginning = { matter, checks: new LedgerChecks(matter.tables.written) };
  const scene = await sceneOf(nodes, beginning, random, {});
  await inAmbient(scene.world, async () => {
    await scene.world.kernel.runUntil(() => false, 3_000);
    for (const command of topology(random, nodes)) {
      scene.clients.send(random.hex(32), command);
      await scene.world.kernel.runUntil(() => false, scene.world.kernel.now + 5);
      await rest(scene);
    }
  });
  prepared.set(nodes, beginning);
  return beginning;
}

async function inAmbient(world: World, work: () => Promise<void>): Promise<void> {
  const restore = replaceAmbient(world.kernel);
  try {
    await work();
  } finally {
    restore();
  }
}

/** Runs one seed to its end, or to the first thing that does not hold. */
export async function runSeed(options: RunOptions): Promise<RunReport> {
  const { seed, without } = options;
  const random = randomFrom(seed);
  const plan = planFrom(random);
  const beginning = await clusterOf(plan.nodes);
  const matter = copyOfMatter(beginning.matter);
  const scene = await sceneOf(
    plan.nodes,
    { matter, checks: beginning.checks.fork(matter.tables.written) },
    random,
    options,
  );
  const { world, checks } = scene;
  let violation: Violation | undefined;
  const onUnhandled = (reason: unknown): void => {
    violation ??= new Violation(
      'no rejection is left unhandled',
      reason instanceof Error ? (reason.stack ?? reason.message) : String(reason),
    );
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    await inAmbient(world, async () => {
      schedule(scene, plan, without);
      await storm(scene, plan);
    });
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation ??= error;
  } finally {
    process.removeListener('unhandledRejection', onUnhandled);
  }
  const said = `${String(world.kernel.steps)} ${world.kernel.now.toFixed(3)} ${matter.tables.head.hash} ${String(random.next())}`;
  return {
    seed,
    violation,
    steps: world.kernel.steps,
    simulatedMs: world.kernel.now,
    events: checks.position,
    digest: createHash('sha256').update(said).digest('hex').slice(0, 16),
    troubles: plan.troubles.length,
    commands: plan.commands.length,
  };
}

function schedule({ world, checks, clients }: Scene, plan: Plan, without: RunOptions['without']): void {
  const { kernel } = world;
  const hosts = [...world.matter.hosts.keys()];
  const cast = { allocators: ALLOCATORS, hosts, gateways: GATEWAYS };
  plan.troubles.forEach((trouble, index) => {
    if (without?.troubles.has(index) === true) return;
    kernel.outside(START_MS + trouble.atMs, () => {
      strike(world, cast, trouble);
    });
  });
  plan.commands.forEach(({ atMs, repeatsOld }, index) => {
    if (without?.commands.has(index) === true) return;
    kernel.outside(START_MS + atMs, () => {
      const old = repeatsOld ? kernel.random.oneOf(clients.commandIds) : undefined;
      const known = old === undefined ? undefined : clients.commandOf(old);
      if (old !== undefined && known !== undefined) clients.send(old, known);
      else clients.send(kernel.random.hex(32), anyCommand(kernel.random, checks.state, plan.nodes));
    });
  });
}

const START_MS = 1_500;
const DETACHED_CHANCE = 0.05;
/** Longer than anything that an agent does in the first moments after it was away. */
const CALM_MS = 65_000;

async function storm(scene: Scene, { stormMs }: Plan): Promise<void> {
  const { world, checks, clients } = scene;
  await world.kernel.runUntil(() => false, START_MS + stormMs);
  world.heal();
  await world.kernel.runUntil(() => false, world.kernel.now + 2_000);
  if (world.kernel.random.chance(DETACHED_CHANCE)) {
    await quiet(scene, 'residue');
    await detachSomebody(world);
  }
  if (world.isMeddledWith) await settleDrift(scene);
  await rest(scene);
  if (world.kernel.random.chance(0.1)) await repeatTasks(scene);
  clients.checkAll();
  checks.checkFolds();
}

/** Sends tasks of the past once more, under new message ids: nothing may come of it. */
async function repeatTasks({ world, checks }: Scene): Promise<void> {
  const { kernel, nats, matter } = world;
  await kernel.runUntil(() => false, kernel.now + CALM_MS);
  const before = inventoryOf(matter).join('\n');
  const tasks = nats.history.filter(({ subject }) => subject.endsWith('.tasks'));
  for (let count = 0; count < 5; count++) {
    const old = kernel.random.oneOf(tasks);
    if (old === undefined) return;
    world.trace(() => `sends again: ${old.text.slice(0, 160)}`);
    nats.publishDurable(old.subject, old.text, `again-${String(count)}`);
  }
  const { position } = checks;
  await kernel.runUntil(() => false, kernel.now + 5_000);
  demand(inventoryOf(matter).join('\n') === before, 'a stale or repeated task changes nothing', () =>
    inventoryOf(matter).join('\n'),
  );
  demand(
    checks.position === position,
    'a stale or repeated outcome changes nothing',
    () => `position ${String(checks.position)}`,
  );
}

export type { ClientCommand };
export { describe };
