import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

jest.setTimeout(300_000);

const run = promisify(execFile);
const main = join(__dirname, '..', 'dist', 'main.js');
/** The same places in every run; `npm run crash -- --quick 8` goes to other ones every day. */
const PLACES = 8;
const ROUND = 20783;

describe('the system, with a process killed while a step is under way', () => {
  it('keeps what it acknowledged, ends every operation, and leaves the hosts as the log says', async () => {
    const { stdout } = await run(process.execPath, [
      main,
      '--quick',
      String(PLACES),
      '--round',
      String(ROUND),
      '--keep-going',
    ]).catch((error: unknown) => {
      throw new Error(typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : '');
    });
    expect(stdout).toMatch(new RegExp(`^${String(PLACES)} crashes, 0 failed`, 'm'));
    expect(stdout).toMatch(/^[1-9]\d* tasks of the past were sent once more: nothing came of it$/m);
  });
});
