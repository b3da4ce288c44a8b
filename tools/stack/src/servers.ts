/** Postgres and NATS as services: children of this process that come back on the port they had. */
import { join } from 'node:path';
import { ensureDatabase, startNats, startPostgres } from '@brickyard/servers';
import type { DataDirectory } from './data-directory';
import { lastingPort } from './free-port';
import { type LaunchedProcess, type Service, supervise } from './service';

const LOOPBACK = '127.0.0.1';
const DATABASE = 'brickyard';
const BUS_USER = 'brickyard';

/** The servers and how to reach them. */
export interface Servers {
  readonly postgres: Service;
  readonly nats: Service;
  readonly natsUrl: string;
  /** Variables by which a service reaches both; complete once they have started. */
  readonly reach: Readonly<Record<string, string>>;
  /** Variables by which a service reaches the bus. */
  readonly busEnv: Readonly<Record<string, string>>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Prepares both; the bus is going to listen where storage hosts can reach it. */
export async function prepareServers(
  data: DataDirectory,
  busHost: string,
  onProgress: (text: string) => void,
): Promise<Servers> {
  const [postgresPort, natsPort] = await Promise.all([lastingPort(LOOPBACK), lastingPort(busHost)]);
  const natsUrl = `nats://${busHost}:${String(natsPort)}`;
  const { busPassword } = data.kept;
  const busEnv = {
    BRICKYARD_NATS_URL: natsUrl,
    BRICKYARD_NATS_USER: BUS_USER,
    BRICKYARD_NATS_PASSWORD: busPassword,
  };
  const reach: Record<string, string> = { ...busEnv };
  const postgres = supervise({
    name: 'postgres',
    logFile: join(data.logs, 'postgres.log'),
    onProgress,
    async launch() {
      const server = await startPostgres({ dataDir: data.postgres, port: postgresPort, log: this.logFile });
      reach['BRICKYARD_PG_URL'] = await ensureDatabase(server, DATABASE);
      return asProcess(server);
    },
  });
  const nats = supervise({
    name: 'nats',
    logFile: join(data.logs, 'nats.log'),
    onProgress,
    async launch() {
      const config = `authorization { user: "${BUS_USER}", password: "${busPassword}" }\n`;
      const options = { storeDir: data.nats, host: busHost, port: natsPort, config, log: this.logFile };
      return asProcess(await startNats(options));
    },
  });
  return {
    postgres,
    nats,
    natsUrl,
    reach,
    busEnv,
    start: async () => {
      await Promise.all([postgres.start(), nats.start()]);
    },
    stop: async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
    },
  };
}

interface Server {
  readonly pid: number;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
  kill(): void;
}

function asProcess(server: Server): LaunchedProcess {
  return {
    pid: server.pid,
    ended: server.ended.then(() => ({ code: null, signal: 'ended' })),
    end: () => server.stop(),
    kill(signal) {
      if (signal === 'SIGKILL') server.kill();
      else process.kill(server.pid, signal);
    },
  };
}
