/** `npm run crash`: kills processes at every step of every saga, and looks at what must hold afterwards. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Estate, describeError, openEstate } from './estate';
import { measureFailOver } from './fail-over';
import { runPoint } from './matrix';
import { allPoints, nameOf, type Point, quickPoints, VICTIMS } from './points';
import { repeatEverything } from './repeat';

const USAGE = `npm run crash -- [options]

  --saga NAME        only this saga, such as create-volume
  --step NAME        only this step, by its name or its number from 0
  --direction WORD   only act, probe or undo
  --moment WORD      only before or after the host has done its work
  --victim NAME      only ${VICTIMS.join(', ')}
  --shard I/N        only the I-th of N parts
  --quick N          N places with moments and victims that change from round to round
  --round R          which round of --quick; today's when absent
  --fail-over N      kills the leading allocator N times under load and tells how long clients waited
  --keep-going       goes on after a point that fails
  --keep-data        leaves the folder with the logs where it is
  --list             prints the points and does nothing
`;

const DAY_MS = 86_400_000;
const FAIL_OVER_LIMIT_MS = 3_000;

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

function chosen(values: Values): Point[] {
  const round = values.round === undefined ? Math.floor(Date.now() / DAY_MS) : number(values.round);
  const all = values.quick === undefined ? allPoints() : quickPoints(round, number(values.quick));
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

/** Runs work on a system in a folder of its own. */
export async function withEstate(isKept: boolean, work: (estate: Estate) => Promise<boolean>): Promise<boolean> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-crash-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const progress: string[] = [];
  const estate = await openEstate(dataDir, (line) => progress.push(line));
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
      (error: unknown) => describeError(error),
    );
    const seconds = (performance.now() - from) / 1_000;
    results.push({ point, seconds, ...(problem === undefined ? {} : { problem }) });
    const verdict = problem === undefined ? 'holds' : `FAILS ${problem}`;
    say(
      `${String(index + 1).padStart(4)}/${String(points.length)}  ${seconds.toFixed(1).padStart(5)} s  ${nameOf(point)}: ${verdict}`,
    );
    if (problem !== undefined && !keepsGoing) break;
  }
  const isQuiet = await repeatEverything(estate).then(
    (count) => {
      say(`${String(count)} tasks of the past were sent once more: nothing came of it`);
      return true;
    },
    (error: unknown) => {
      say(`FAILS after everything was sent once more: ${describeError(error)}`);
      return false;
    },
  );
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
  say(`\n${'saga'.padEnd(18)}${VICTIMS.map((victim) => victim.padStart(13)).join('')}${'all'.padStart(9)}`);
  for (const saga of sagas) {
    const own = results.filter(({ point }) => point.saga === saga);
    const cells = VICTIMS.map((victim) => cell(own.filter(({ point }) => point.victim === victim)).padStart(13));
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
  const isKept = values['keep-data'] === true;
  const kills = values['fail-over'];
  if (kills !== undefined) return withEstate(isKept, (estate) => failOver(estate, number(kills)));
  const points = chosen(values);
  if (points.length === 0) throw new Error(`no point is chosen\n\n${USAGE}`);
  if (values.list === true) {
    for (const point of points) say(nameOf(point));
    return true;
  }
  return withEstate(isKept, (estate) => run(estate, points, values['keep-going'] === true));
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
