/** One seed: a cluster, clients, trouble, then calm; what must hold is looked at after every step. */
import { createHash } from 'node:crypto';
import { replaceAmbient } from './ambient';
import { inventoryOf } from './host-checks';
import { demand, LedgerChecks, Violation } from './ledger-checks';
import { detachSomebody, planTroubles, strike, type Trouble } from './nemesis';
import { quiet, rest, settleDrift } from './operator';
import { type Random, randomFrom } from './random';
import { ALLOCATORS, type Beginning, GATEWAYS, type Scene, sceneOf, type SceneOptions } from './scene';
import { anyCommand, hostNamed, topology } from './workload';
import { copyOfMatter, emptyMatter, type World } from './world';

/** How one run is made. */
export interface RunOptions extends SceneOptions {
  readonly seed: number;
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
