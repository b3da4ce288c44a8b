import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from './nats';
import { startPostgres } from './postgres';

const FOLDER = /^brickyard-test-(\d+)-/;

/** One Postgres and one nats-server for a whole test run. */
export interface TestServers {
  readonly postgresUrl: string;
  readonly natsUrl: string;
  /** Ends both and deletes their data. */
  stop(): Promise<void>;
}

/** Starts the pair in a temporary folder; also removes what killed runs have left there. */
export async function startTestServers(): Promise<TestServers> {
  removeAbandonedFolders();
  const folder = mkdtempSync(join(tmpdir(), `brickyard-test-${String(process.pid)}-`));
  const [postgres, nats] = await Promise.all([
    startPostgres({ dataDir: `${folder}-postgres` }),
    startNats({ storeDir: folder }),
  ]);
  return {
    postgresUrl: postgres.url(),
    natsUrl: nats.url,
    async stop() {
      await Promise.all([postgres.stop(), nats.stop()]);
      [folder, `${folder}-postgres`].forEach((path) => {
        rmSync(path, { recursive: true, force: true });
      });
    },
  };
}

function removeAbandonedFolders(): void {
  readdirSync(tmpdir())
    .filter((name) => isAbandoned(FOLDER.exec(name)?.[1]))
    .forEach((name) => {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    });
}

function isAbandoned(pid: string | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
