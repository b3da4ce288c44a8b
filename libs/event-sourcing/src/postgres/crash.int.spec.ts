import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '@brickyard/servers';
import { verifyChain, verifyEnd } from '../hash-chain';
import { add, type OpenedTally, openTally, readAll, tallyDatabase, withId, withReader } from './tally.spec-ledger';

const TIMEOUT_MS = 120_000;
const CLIENTS = 40;
const KILLS = 3;

describe('kill -9 of Postgres under load', () => {
  const dataDir = join(tmpdir(), `brickyard-crash-${String(process.pid)}`);
  let server: PostgresServer;

  beforeAll(async () => {
    mkdirSync(dataDir, { mode: 0o755 });
    server = await startPostgres({ dataDir });
  }, TIMEOUT_MS);

  afterAll(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it(
    'loses no acknowledged command, and a repeat with the same id has no second effect',
    async () => {
      const url = await tallyDatabase(server.url());
      const acknowledged = new Map<string, number>();
      let sent = 0;
      for (let round = 1; round <= KILLS; round += 1) {
        const opened = await openTally(url);
        const enough = round * 1_000;
        const clients = Array.from({ length: CLIENTS }, () =>
          sendUntilLost(opened, acknowledged, () => `id-${String((sent += 1))}`),
        );
        const killer = until(() => acknowledged.size >= enough).then(() => {
          server.kill();
        });
        await Promise.all([killer, opened.lost, ...clients]);
        server = await startPostgres({ dataDir, port: server.port });
      }
      const { writer } = await openTally(url);
      expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS * 1_000);
      for (const [id, position] of acknowledged) {
        const answer = await writer.submit(withId(id, add('s', 1)));
        expect(answer).toMatchObject({ position, repeated: true });
      }
      await withReader(url, async (reader) => {
        const events = await readAll(reader);
        expect(verifyChain(events)).toBeUndefined();
        expect(verifyEnd(events.at(-1) ?? { position: 0, hash: '' }, await reader.head())).toBeUndefined();
        expect(new Set(events.map(({ metadata }) => metadata.commandId)).size).toBe(events.length);
      });
      await writer.close();
    },
    TIMEOUT_MS,
  );
});

async function sendUntilLost(
  { writer }: OpenedTally,
  acknowledged: Map<string, number>,
  nextId: () => string,
): Promise<void> {
  try {
    for (;;) {
      const id = nextId();
      const { position } = await writer.submit(withId(id, add('s', 1)));
      acknowledged.set(id, position);
    }
  } catch {
    // Lost: this command may or may not be in the log, and was not acknowledged.
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
