import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

jest.setTimeout(240_000);

const run = promisify(execFile);
const main = join(__dirname, '..', 'dist', 'main.js');
/** Other places every day; a round that failed is run again with `npm run crash -- --quick 8 --round <it>`. */
const PLACES = 8;

describe('the system, with a process killed while a step is under way', () => {
  it('keeps what it acknowledged, ends every operation, and leaves the hosts as the log says', async () => {
    const { stdout } = await run(process.execPath, [main, '--quick', String(PLACES), '--keep-going']).catch(
      (error: unknown) => {
        throw new Error(typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : '');
      },
    );
    expect(stdout).toMatch(new RegExp(`^${String(PLACES)} crashes, 0 failed`, 'm'));
    expect(stdout).toMatch(/^[1-9]\d* tasks of the past were sent once more: nothing came of it$/m);
  });
});
