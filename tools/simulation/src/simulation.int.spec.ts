import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { planted } from './sabotage';

jest.setTimeout(400_000);

/** As many as a run of all tests has time for (docs/simulation.md), in two processes. */
const SEEDS = 2_000;
const AT_ONCE = 1_000;

const run = promisify(execFile);
const main = join(__dirname, '..', 'dist', 'main.js');
/** In a process of its own: clocks, timers and chance are replaced there. */
const simulate = async (...argv: string[]): Promise<string> => {
  return run(process.execPath, [main, ...argv], { maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout }) => stdout,
    // A seed that fails ends it with 1: what it says of that seed is what counts.
    (error: unknown) => {
      if (error instanceof Error && 'stdout' in error && error.stdout !== '') return String(error.stdout);
      throw error;
    },
  );
};

describe('the simulation', () => {
  it('finds nothing that does not hold', async () => {
    const from = Array.from({ length: SEEDS / AT_ONCE }, (_, part) => 1 + part * AT_ONCE);
    const said = await Promise.all(
      from.map((seed) => simulate('--from', String(seed), '--seeds', String(AT_ONCE), '--keep-going')),
    );
    for (const text of said) expect(text).toContain(`${String(AT_ONCE)} seeds, 0 failed`);
  });

  it('replays a seed to the same bytes, alone or among others', async () => {
    const [one, other, among] = [
      await simulate('--seed', '12', '--trace'),
      await simulate('--seed', '12', '--trace'),
      await simulate('--from', '11', '--seeds', '2', '--digests'),
    ];
    expect(one).toBe(other);
    expect(one.split('\n').length).toBeGreaterThan(50);
    expect(among).toContain(/digest ([0-9a-f]+)/.exec(one)?.[1]);
  });

  it.each(Object.keys(planted))('finds what is planted: %s', async (name) => {
    expect(await simulate('--plant', name)).toMatch(/^found by seed \d+/);
  });
});
