import compile from './jest-compile';
import { startTestServers, type TestServers } from './test-servers';

/** Where setup leaves the running pair for teardown: Jest runs both in one process, but loads each file anew. */
export const running: { servers?: TestServers } = ((
  globalThis as { brickyardTest?: { servers?: TestServers } }
).brickyardTest ??= {});

/** Compiles, starts one Postgres and one nats-server for the whole run and tells the specs where they are. */
// eslint-disable-next-line no-restricted-syntax -- Jest calls the default export of a globalSetup file
export default async function setup(): Promise<void> {
  compile();
  const servers = await startTestServers();
  running.servers = servers;
  process.env['BRICKYARD_TEST_PG_URL'] = servers.postgresUrl;
  process.env['BRICKYARD_TEST_NATS_URL'] = servers.natsUrl;
}
