/** `npm run simulate`: seeds, one after the other; a failing one is printed so that it can be replayed. */
import { parseArgs } from 'node:util';
import { runSeed, type RunReport } from './run';
import { planted, type Planted } from './sabotage';
import { shrink } from './shrink';

const USAGE = `npm run simulate -- [options]

  --seeds N        so many seeds, 1,000 when absent
  --from N         the first seed, 1 when absent
  --seconds N      ends earlier when this time is over
  --seed X[,Y…]    these seeds alone
  --trace          prints everything that happens
  --shrink         looks for the smallest part of a failing seed that still fails
  --keep-going     goes on after a failing seed
  --digests        prints a line for each seed
  --plant FAULT    with this fault of the product planted, which must be found: ${Object.keys(planted)
    .map((name) => `"${name}"`)
    .join(', ')}
`;

const number = (text: string | undefined, otherwise: number): number => {
  if (text === undefined) return otherwise;
  if (!/^\d+$/.test(text)) throw new Error(`"${text}" is not a number\n\n${USAGE}`);
  return Number(text);
};

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      seeds: text,
      from: text,
      seconds: text,
      seed: text,
      trace: flag,
      shrink: flag,
      'keep-going': flag,
      plant: text,
      digests: flag,
      help: flag,
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.plant !== undefined) {
    await find(values.plant, number(values.from, 1), number(values.seeds, 1_000));
    return;
  }
  if (values.seed !== undefined) {
    for (const seed of values.seed.split(','))
      await one(number(seed, 1), values.trace === true, values.shrink === true);
    return;
  }
  const from = number(values.from, 1);
  const seeds = number(values.seeds, 1_000);
  await many(from, seeds, number(values.seconds, Infinity), values['keep-going'] === true, values.digests === true);
}

/** Looks for the seed that finds a planted fault. */
async function find(name: string, from: number, count: number): Promise<void> {
  const fault: Planted | undefined = planted[name];
  if (fault === undefined) throw new Error(`there is no fault "${name}"\n\n${USAGE}`);
  await runSeed({ seed: 0 }); // Makes the clusters' beginnings while all is well.
  fault.apply?.();
  for (let seed = from; seed < from + count; seed++) {
    const { violation } = await runSeed({ seed, sabotage: fault });
    if (violation === undefined) continue;
    process.stdout.write(`found by seed ${String(seed)}: ${violation.message}\n`);
    if (!fault.breaks.includes(violation.invariant))
      throw new Error(`but it should break: ${fault.breaks.join(' or ')}`);
    return;
  }
  throw new Error(`"${name}" is not found in ${String(count)} seeds`);
}

async function one(seed: number, isTraced: boolean, isShrunk: boolean): Promise<void> {
  const trace: string[] = [];
  const onTrace = (line: string): void => {
    if (isTraced) process.stdout.write(`${line}\n`);
    trace.push(line);
  };
  const report = await runSeed(isTraced ? { seed, onTrace } : { seed });
  tell(report);
  if (report.violation !== undefined && isShrunk) process.stdout.write(await shrink(report));
}

function tell({ seed, violation, steps, simulatedMs, events, digest }: RunReport): void {
  const what = violation === undefined ? 'holds' : `VIOLATION ${violation.message}`;
  const size = `${String(steps)} steps, ${(simulatedMs / 1_000).toFixed(1)} s simulated, ${String(events)} events`;
  process.stdout.write(`seed ${String(seed)}: ${what}\n  (${size}, digest ${digest})\n`);
  if (violation !== undefined) {
    process.stdout.write(`  replay: npm run simulate -- --seed ${String(seed)} --trace\n`);
    process.exitCode = 1;
  }
}

async function many(
  from: number,
  count: number,
  seconds: number,
  keepsGoing: boolean,
  tellsAll: boolean,
): Promise<void> {
  const startedAt = performance.now();
  const passed = (): number => (performance.now() - startedAt) / 1_000;
  const totals = { seeds: 0, failed: 0, steps: 0, simulatedMs: 0, events: 0 };
  for (let seed = from; seed < from + count && passed() < seconds; seed++) {
    const report = await runSeed({ seed });
    totals.seeds += 1;
    totals.steps += report.steps;
    totals.simulatedMs += report.simulatedMs;
    totals.events += report.events;
    if (tellsAll && report.violation === undefined) tell(report);
    if (report.violation === undefined) continue;
    totals.failed += 1;
    tell(report);
    if (!keepsGoing) break;
  }
  const { seeds, failed, steps, simulatedMs, events } = totals;
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  process.stdout.write(
    `${String(seeds)} seeds, ${String(failed)} failed, in ${passed().toFixed(1)} s: ${(seeds / passed()).toFixed(1)} seeds/s, ` +
      `${String(Math.round(steps / passed()))} steps/s, ${hours} h simulated, ${String(events)} events\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`simulate: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
