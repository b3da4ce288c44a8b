/** `npm run crash`: kills processes at every step of every saga, and looks at what must hold afterwards. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HostsKind } from '@brickyard/stack';
import { type Estate, describeError, openEstate } from './estate';
import { measureFailOver } from './fail-over';
import { planFaults } from './faults-file';
import { runPoint } from './matrix';
import { allPoints, nameOf, type Point, quickPoints, VICTIMS } from './points';
import { repeatEverything } from './repeat';
import { soak, type SoakPlan } from './soak';

const USAGE = `npm run crash -- [options]

  --saga NAME        only this saga, such as create-volume
  --step NAME        only this step, by its name or its number from 0
  --direction WORD   only act, probe or undo
  --moment WORD      only before or after the host has done its work
  --victim NAME      only ${VICTIMS.join(', ')}
  --shard I/N        only the I-th of N parts
  --quick N          N places with moments and victims that change from round to round
  --round R          which round of --quick; today's when absent
  --soak MINUTES     clients ask while parts of the system die, stand still and fail at random
  --seed N           what --soak asks and does; the time of day when absent
  --hosts KIND       simulated (the default) or real: Gluster hosts in network namespaces, with their glusterd and their
                     power as victims; needs root, and some 15 s for a point
  --fail-over N      kills the leading allocator N times under load and tells how long clients waited
  --keep-going       goes on after a point that fails
  --keep-data        leaves the folder with the logs where it is
  --list             prints the points and does nothing
`;

const DAY_MS = 86_400_000;
const FAIL_OVER_LIMIT_MS = 3_000;
const SEEDS = 1_000_000;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  saga: text,
  step: text,
  direction: text,
  moment: text,
  victim: text,
  shard: text,
  quick: text,
  round: text,
  'fail-over': text,
  soak: text,
  seed: text,
  hosts: text,
  'keep-going': flag,
  'keep-data': flag,
  list: flag,
  help: flag,
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

const number = (said: string): number => {
  if (!/^\d{1,6}$/.test(said)) throw new Error(`"${said}" is not a number\n\n${USAGE}`);
  return Number(said);
};

function chosen(values: Values, hosts: HostsKind): Point[] {
  const round = values.round === undefined ? Math.floor(Date.now() / DAY_MS) : number(values.round);
  const all = values.quick === undefined ? allPoints(hosts) : quickPoints(hosts, round, number(values.quick));
  if (values.quick !== undefined) say(`round ${String(round)}`);
  const [part, parts] = (values.shard ?? '1/1').split('/').map(number);
  const fits = (wanted: string | undefined, ...words: readonly string[]): boolean =>
    wanted === undefined || words.includes(wanted);
  return all.filter(
    (point, index) =>
      fits(values.saga, point.saga) &&
      fits(values.step, point.name, String(point.step)) &&
      fits(values.direction, point.direction) &&
      fits(values.moment, point.moment) &&
      fits(values.victim, point.victim) &&
      index % (parts ?? 1) === (part ?? 1) - 1,
  );
}

interface Ground {
  readonly hosts: HostsKind;
  /** The folder with the logs stays when all is over. */
  readonly isKept: boolean;
}

/** Runs work on a system in a folder of its own. */
async function withEstate({ hosts, isKept }: Ground, work: (estate: Estate) => Promise<boolean>): Promise<boolean> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-crash-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const progress: string[] = [];
  const estate = await openEstate(dataDir, hosts, (line) => progress.push(line));
  let isGood = false;
  try {
    isGood = await work(estate);
  } finally {
    await estate.end();
    if (isKept) say(`logs and data: ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  }
  return isGood;
}

interface Result {
  readonly point: Point;
  readonly seconds: number;
  readonly problem?: string;
}

async function run(estate: Estate, points: readonly Point[], keepsGoing: boolean): Promise<boolean> {
  const results: Result[] = [];
  for (const [index, point] of points.entries()) {
    const from = performance.now();
    const problem = await runPoint(estate, point).then(
      () => undefined,
      (error: unknown) => {
        planFaults(estate.faultsFile, []); // What it may have left holding a task.
        return describeError(error);
      },
    );
    const seconds = (performance.now() - from) / 1_000;
    results.push({ point, seconds, ...(problem === undefined ? {} : { problem }) });
    const verdict = problem === undefined ? 'holds' : `FAILS ${problem}`;
    say(
      `${String(index + 1).padStart(4)}/${String(points.length)}  ${seconds.toFixed(1).padStart(5)} s  ${nameOf(point)}: ${verdict}`,
    );
    if (problem !== undefined && !keepsGoing) break;
  }
  const isQuiet = await repeated(estate);
  tell(results);
  return isQuiet && results.length === points.length && results.every(({ problem }) => problem === undefined);
}

/** One line for each saga, one column for each victim: points that hold of those that ran. */
function tell(results: readonly Result[]): void {
  const sagas = [...new Set(results.map(({ point }) => point.saga))];
  const cell = (some: readonly Result[]): string =>
    some.length === 0
      ? '-'
      : `${String(some.filter(({ problem }) => problem === undefined).length)}/${String(some.length)}`;
  const victims = VICTIMS.filter((victim) => results.some(({ point }) => point.victim === victim));
  say(`\n${'saga'.padEnd(18)}${victims.map((victim) => victim.padStart(13)).join('')}${'all'.padStart(9)}`);
  for (const saga of sagas) {
    const own = results.filter(({ point }) => point.saga === saga);
    const cells = victims.map((victim) => cell(own.filter(({ point }) => point.victim === victim)).padStart(13));
    say(`${saga.padEnd(18)}${cells.join('')}${cell(own).padStart(9)}`);
  }
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  const failed = results.filter(({ problem }) => problem !== undefined).length;
  say(`\n${String(results.length)} crashes, ${String(failed)} failed, ${seconds.toFixed(0)} s`);
}

async function failOver(estate: Estate, kills: number): Promise<boolean> {
  const { p50, p99, worst, requests } = await measureFailOver(estate, kills, say);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  say(
    `${String(kills)} leaders killed under load, ${String(requests)} requests acknowledged, none lost: ` +
      `p50 ${ms(p50)}, p99 ${ms(p99)} (limit ${ms(FAIL_OVER_LIMIT_MS)}), worst ${ms(worst)}`,
  );
  return p99 <= FAIL_OVER_LIMIT_MS;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) {
    say(USAGE);
    return true;
  }
  const hosts = hostsIn(values.hosts ?? 'simulated');
  const ground: Ground = { hosts, isKept: values['keep-data'] === true };
  if (values['fail-over'] !== undefined) {
    const kills = number(values['fail-over']);
    return withEstate(ground, (estate) => failOver(estate, kills));
  }
  if (values.soak !== undefined) {
    return runSoak(ground, {
      minutes: number(values.soak),
      seed: values.seed === undefined ? Date.now() % SEEDS : number(values.seed),
    });
  }
  const points = chosen(values, hosts);
  if (points.length === 0) throw new Error(`no point is chosen\n\n${USAGE}`);
  if (values.list === true) {
    for (const point of points) say(nameOf(point));
    return true;
  }
  return withEstate(ground, (estate) => run(estate, points, values['keep-going'] === true));
}

function hostsIn(said: string): HostsKind {
  if (said !== 'simulated' && said !== 'real')
    throw new Error(`hosts are simulated or real, not "${said}"\n\n${USAGE}`);
  return said;
}

async function runSoak(ground: Ground, plan: SoakPlan): Promise<boolean> {
  say(`seed ${String(plan.seed)}, ${String(plan.minutes)} minutes on ${ground.hosts} hosts`);
  return withEstate(ground, async (estate) => {
    await soak(estate, plan, say);
    return repeated(estate);
  });
}

/** True when nothing comes of all tasks of the past being sent once more. */
function repeated(estate: Estate): Promise<boolean> {
  return repeatEverything(estate).then(
    (count) => {
      say(`${String(count)} tasks of the past were sent once more: nothing came of it`);
      return true;
    },
    (error: unknown) => {
      say(`FAILS after everything was sent once more: ${describeError(error)}`);
      return false;
    },
  );
}

main().then(
  (isGood) => {
    process.exitCode = isGood ? 0 : 1;
  },
  (error: unknown) => {
    process.stderr.write(`crash: ${describeError(error)}\n`);
    process.exitCode = 2;
  },
);
