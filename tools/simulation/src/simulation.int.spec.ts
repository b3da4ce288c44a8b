import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { planted } from './sabotage';

jest.setTimeout(180_000);

const run = promisify(execFile);
const main = join(__dirname, '..', 'dist', 'main.js');
/** In a process of its own: clocks, timers and chance are replaced there. */
const simulate = async (...argv: string[]): Promise<string> => {
  const { stdout } = await run(process.execPath, [main, ...argv], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
};

describe('the simulation', () => {
  it('finds nothing that does not hold', async () => {
    expect(await simulate('--seeds', '60')).toMatch(/^60 seeds, 0 failed/m);
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
