/**
 * Clients ask, parts of the system die, stand still and fail at random, for minutes. After each round everything is mended,
 * and what must hold is looked at. The seed decides what is asked and what strikes, not how the two meet.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Random, randomFrom } from '@brickyard/simulation';
import { demand, type Estate, patiently } from './estate';
import { planFaults, type PlannedFault } from './faults-file';
import { checkAcknowledged, send, told, type Told } from './matrix';
import { type Victim, victimsOn } from './points';
import { type Ask, replaceWhatFailed, tidy } from './recipes';
import { agentsOf, type Dead, servicesOf, strike } from './strike';

const MINUTE_MS = 60_000;
/** How long one round lasts before everything is mended, milliseconds. */
const ROUND_MS = { simulated: 20_000, real: 60_000 } as const;
const LANES = { simulated: 6, real: 2 } as const;
/** So that rounds end with something to compare, and hosts with room for more. */
const VOLUMES_MAX = { simulated: 24, real: 6 } as const;
/** Of each round, so many requests are asked once more in the end. */
const REPEATED = 12;

/** What is to be done, and how it is repeated. */
export interface SoakPlan {
  readonly minutes: number;
  readonly seed: number;
}

interface Asked {
  readonly key: string;
  readonly ask: Ask;
  readonly heard: Told;
}

interface Round {
  readonly random: Random;
  readonly endsAt: number;
  readonly asked: Asked[];
  readonly struck: string[];
}

/** Runs rounds until the time is over; rejects with the first thing that does not hold. */
export async function soak(estate: Estate, { minutes, seed }: SoakPlan, say: (text: string) => void): Promise<void> {
  const random = randomFrom(seed);
  const endsAt = performance.now() + minutes * MINUTE_MS;
  const all = { rounds: 0, asked: 0, acknowledged: 0, struck: new Map<string, number>() };
  while (performance.now() < endsAt) {
    all.rounds += 1;
    const round = await runRound(estate, randomFrom(random.below(2 ** 31)), `s${String(seed)}-${String(all.rounds)}`);
    const acknowledged = round.asked.filter(({ heard }) => 'answer' in heard).length;
    all.asked += round.asked.length;
    all.acknowledged += acknowledged;
    for (const name of round.struck) all.struck.set(name, (all.struck.get(name) ?? 0) + 1);
    const { operations, volumes, blockVolumes } = estate.checks.state;
    say(
      `round ${String(all.rounds)}: ${String(round.asked.length)} asked, ${String(acknowledged)} acknowledged; ` +
        `${round.struck.join(', ')}; holds, with ${String(volumes.size)} volumes, ${String(blockVolumes.size)} block ` +
        `volumes, ${String(operations.size)} operations open, position ${String(estate.checks.position)}`,
    );
  }
  await tidy(estate);
  const strikes = [...all.struck].sort().map(([name, count]) => `${name} ${String(count)}`);
  say(
    `${String(all.rounds)} rounds with ${String([...all.struck.values()].reduce((sum, count) => sum + count, 0))} ` +
      `troubles (${strikes.join(', ')}): ${String(all.asked)} asked, ${String(all.acknowledged)} acknowledged, none ` +
      `lost, ${String(estate.begun.length)} operations begun and ended, hosts equal to the log`,
  );
}

const kindOf = ({ stack }: Estate): 'real' | 'simulated' => (stack.lab === undefined ? 'simulated' : 'real');

async function runRound(estate: Estate, random: Random, name: string): Promise<Round> {
  const kind = kindOf(estate);
  const round: Round = { random, endsAt: performance.now() + ROUND_MS[kind], asked: [], struck: [] };
  await patiently(estate, 'the cluster cannot be mended', () => replaceWhatFailed(estate));
  const lanes = Array.from({ length: LANES[kind] }, (_, lane) =>
    askAllTheTime(estate, round, randomFrom(random.below(2 ** 31)), `${name}-${String(lane)}`),
  );
  await Promise.all([...lanes, strikeAllTheTime(estate, round)]);
  await estate.stack.ready();
  await estate.rest();
  for (const { key, heard } of round.asked) {
    if (!('answer' in heard)) continue;
    demand(estate.effectOf(key) !== undefined, 'an acknowledged command is in the log', () => key);
  }
  for (let count = 0; count < REPEATED; count++) {
    const one = random.oneOf(round.asked);
    if (one !== undefined && 'answer' in one.heard) await checkAcknowledged(estate, one.ask, one.key, one.heard);
  }
  await estate.rest();
  return round;
}

async function askAllTheTime(estate: Estate, round: Round, random: Random, name: string): Promise<void> {
  for (let number = 0; performance.now() < round.endsAt; number++) {
    const key = `${name}-${String(number)}`;
    const ask = await choose(estate, random, key).catch(() => undefined);
    if (ask !== undefined) {
      const heard = await told(send(estate, ask, { idempotencyKey: key, follow: false }));
      round.asked.push({ key, ask, heard });
    }
    await pause(random.between(20, kindOf(estate) === 'real' ? 4_000 : 600));
  }
}

type Choice = readonly [weight: number, make: () => Ask | undefined];

/** What a client asks next, from what there is. Reads the log, which may be away just now. */
async function choose(estate: Estate, random: Random, key: string): Promise<Ask | undefined> {
  const { volumes, blockVolumes, devices, clusters } = await estate.read();
  const isReal = kindOf(estate) === 'real';
  const volume = random.oneOf([...volumes.values()].filter(({ spec }) => !spec.block));
  const block = random.oneOf([...blockVolumes.keys()]);
  const device = random.oneOf([...devices.values()]);
  const empty = random.oneOf([...clusters.values()].filter(({ nodeIds }) => nodeIds.length === 0));
  const brick = random.oneOf(volume?.bricks ?? []);
  const post = (path: string, body: object): Ask => ({ method: 'post', path, body });
  const isFull = volumes.size >= VOLUMES_MAX[kindOf(estate)];
  const states = device?.state === 'online' ? ['offline'] : ['online', 'failed'];
  const choices: readonly Choice[] = [
    [isFull ? 0 : 10, () => post('/volumes', { name: `v-${key}`, size: 1, durability: durabilityFor(random) })],
    [isFull ? 9 : 4, () => volume && { method: 'delete', path: `/volumes/${volume.volumeId}` }],
    [3, () => volume && post(`/volumes/${volume.volumeId}/expand`, { expand_size: 1 })],
    [isReal ? 0 : 2, () => volume && post(`/volumes/${volume.volumeId}/clone`, { name: `c-${key}` })],
    [2, () => brick && post(`/bricks/to-evict/${brick.brickId}`, {})],
    [2, () => device && post(`/devices/${device.deviceId}/state`, { state: random.oneOf(states) })],
    [1, () => device && { method: 'get', path: `/devices/${device.deviceId}/resync` }],
    [1, () => post('/clusters', { file: false, block: false })],
    [empty === undefined ? 0 : 1, () => empty && { method: 'delete', path: `/clusters/${empty.clusterId}` }],
    [isReal ? 0 : 3, () => post('/blockvolumes', { name: `b-${key}`, size: 1, hacount: 2 })],
    [isReal ? 0 : 2, () => (block === undefined ? undefined : { method: 'delete', path: `/blockvolumes/${block}` })],
  ];
  let left = random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
  return choices.find(([weight]) => (left -= weight) < 0)?.[1]();
}

const durabilityFor = (random: Random): object =>
  random.pick([
    { type: 'replicate', replicate: { replica: 3 } },
    { type: 'replicate', replicate: { replica: 3 } },
    { type: 'replicate', replicate: { replica: 2 } },
    { type: 'disperse', disperse: { data: 2, redundancy: 1 } },
    { type: 'none' },
  ]);

/** One trouble after the other, now and then two at once; in the end all are over. */
async function strikeAllTheTime(estate: Estate, round: Round): Promise<void> {
  const { random } = round;
  const one = async (): Promise<void> => {
    while (performance.now() < round.endsAt) {
      await pause(random.between(200, 4_000));
      round.struck.push(await trouble(estate, random));
    }
  };
  const other = async (): Promise<void> => {
    while (performance.now() < round.endsAt) {
      const faults = faultsFor(estate, random);
      planFaults(estate.faultsFile, faults);
      if (faults.length > 0) round.struck.push('planned fault');
      await pause(random.between(500, 8_000));
    }
    planFaults(estate.faultsFile, []);
  };
  await Promise.all([one(), other()]);
}

/** Something dies or stands still, and comes back after a while; says what. */
async function trouble(estate: Estate, random: Random): Promise<string> {
  const { stack } = estate;
  const victims = victimsOn(kindOf(estate));
  const victim: Victim = random.oneOf(victims) ?? 'allocator';
  const host = random.oneOf(stack.hosts)?.name ?? '';
  if (victim !== 'glusterd' && victim !== 'host' && random.chance(0.3)) {
    await standStill(estate, victim, random.between(100, 9_000));
    return `${victim} stopped`;
  }
  const dead: Dead = await strike(stack, victim, host);
  await pause(random.chance(0.5) ? 0 : random.between(0, kindOf(estate) === 'real' ? 20_000 : 9_000));
  await patiently(estate, `${victim} cannot be started`, () => dead.revive());
  return victim;
}

/** Neither dead nor alive: SIGSTOP, and after a while SIGCONT. */
async function standStill({ stack }: Estate, victim: Victim, ms: number): Promise<void> {
  const services = await servicesOf(stack, victim);
  for (const service of services) service.kill('SIGSTOP');
  try {
    await pause(ms);
  } finally {
    for (const service of services) service.kill('SIGCONT');
  }
}

/** What agents do wrong for the next seconds. */
function faultsFor(estate: Estate, random: Random): readonly PlannedFault[] {
  const host = random.oneOf(estate.stack.hosts)?.address ?? '';
  const fails = (transient: boolean, uncertain: boolean): PlannedFault => ({
    host,
    count: 1 + random.below(3),
    fail: { transient, uncertain, detail: 'planned, at random' },
  });
  const silent: readonly PlannedFault[] = agentsOf(estate.stack).length === 1 ? [{ host, silent: true }] : [];
  return random.pick<readonly PlannedFault[]>([
    [],
    [fails(true, false)],
    [fails(true, true)],
    [fails(false, false)],
    [{ host, hang: random.pick(['before', 'after']), count: 1 }],
    [{ delayMs: Math.floor(random.between(10, 3_000)), count: 5 }],
    silent,
  ]);
}
