/** What an operator does when the trouble is over: waits until nothing is open, starts what was stopped, settles differences. */
import { factsWantedOf, type OperationId, OUTCOMES_STREAM, TASKS_STREAM } from '@brickyard/contracts';
import { proposalsFor } from '@brickyard/domain';
import { checkHosts } from './host-checks';
import { demand } from './ledger-checks';
import type { Scene } from './scene';

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

/** Nothing is open any more; residue may stay for as long as a difference does that somebody has made by hand. */
const isAtRest = ({ world, checks, clients }: Scene, mayLeave: 'nothing' | 'residue'): boolean =>
  checks.state.operations.size === 0 &&
  clients.waiting === 0 &&
  [...checks.state.nodes.values()].every(
    ({ lostSince, residue }) => lostSince === undefined && (mayLeave === 'residue' || residue.length === 0),
  ) &&
  world.nats.queued(TASKS_STREAM) === 0 &&
  world.nats.queued(OUTCOMES_STREAM) === 0;

/** Waits until nothing is open, and starts by hand what waits for that. */
export async function quiet(scene: Scene, mayLeave: 'nothing' | 'residue' = 'nothing'): Promise<void> {
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

/** Waits until nothing is left, and looks whether hosts are as the log says. */
export async function rest(scene: Scene): Promise<void> {
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
export async function settleDrift(scene: Scene): Promise<void> {
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
