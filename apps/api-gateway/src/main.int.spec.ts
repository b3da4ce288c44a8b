/** The compiled process, as far as it can be seen without Postgres and NATS. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const TIMEOUT_MS = 60_000;
const APP = join(__dirname, '..');

describe('the gateway', () => {
  it(
    'ends with 1 and says why when it has no keys',
    () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(APP, 'dist/main.js')], {
        env: {
          PATH: process.env['PATH'],
          BRICKYARD_PG_URL: 'postgres://127.0.0.1:1/none',
          BRICKYARD_NATS_URL: 'nats://127.0.0.1:1',
        },
        encoding: 'utf8',
        timeout: TIMEOUT_MS,
      });
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: '',
        stderr: 'ERROR: Missing JWT information in config file\n',
      });
    },
    TIMEOUT_MS,
  );
});
