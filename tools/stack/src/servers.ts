/** Postgres and NATS as services: children of this process that come back on the port they had. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { type BusAccount, busUserOf } from '@brickyard/contracts';
import { ensureLogins, ensureSchema, type Login } from '@brickyard/event-sourcing/postgres';
import { ensureDatabase, startNats, startPostgres } from '@brickyard/servers';
import { type BusSettings, natsAuthorization } from '@brickyard/service-host';
import type { DataDirectory } from './data-directory';
import type { Fleet } from './fleet';
import { lastingPort } from './free-port';
import { type LaunchedProcess, type Service, supervise } from './service';

const LOOPBACK = '127.0.0.1';
const DATABASE = 'brickyard';
/** The services' logins at the database. */
const LOGINS = [
  { service: 'allocator', name: 'brickyard_allocator', role: 'writer' },
  { service: 'gateway', name: 'brickyard_gateway', role: 'reader' },
  { service: 'registry', name: 'brickyard_registry', role: 'writer' },
] as const;
type ServiceWithLogin = (typeof LOGINS)[number]['service'];

export type Env = Readonly<Record<string, string>>;

/** The servers and how to reach them. */
export interface Servers {
  readonly postgres: Service;
  readonly nats: Service;
  /** Variables for the owner of the system: Postgres with all rights, the bus as one who only looks. */
  readonly reach: Env;
  /** Variables by which a service reaches both, each with its own name and rights; complete once they have started. */
  readonly reachOf: (service: ServiceWithLogin) => Env;
  /** Variables by which an agent reaches the bus. */
  readonly agentEnv: (account: BusAccount) => Env;
  /** The bus as whom one likes. */
  readonly busAs: (account: BusAccount) => BusSettings;
  /** The bus as one who only looks. */
  readonly observing: BusSettings;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Prepares both; the bus is going to listen where storage hosts can reach it, and knows these agents. */
export async function prepareServers(
  data: DataDirectory,
  { busHost, agentAccounts }: Pick<Fleet, 'busHost' | 'agentAccounts'>,
  onProgress: (text: string) => void,
): Promise<Servers> {
  const [postgresPort, natsPort] = await Promise.all([lastingPort(LOOPBACK), lastingPort(busHost)]);
  const natsUrl = `nats://${busHost}:${String(natsPort)}`;
  const passwordOf = (user: string): string =>
    createHmac('sha256', data.kept.busPassword).update(user).digest('base64url');
  const busEnv = (account: BusAccount): Env => ({
    BRICKYARD_NATS_URL: natsUrl,
    BRICKYARD_NATS_USER: busUserOf(account),
    BRICKYARD_NATS_PASSWORD: passwordOf(busUserOf(account)),
  });
  const pgUrls: Partial<Record<ServiceWithLogin | 'owner', string>> = {};
  const postgres = supervise({
    name: 'postgres',
    logFile: join(data.logs, 'postgres.log'),
    onProgress,
    async launch() {
      const server = await startPostgres({ dataDir: data.postgres, port: postgresPort, log: this.logFile });
      const owner = await ensureDatabase(server, DATABASE);
      await ensureSchema(owner);
      await ensureLogins(
        owner,
        LOGINS.map(({ name, role }): Login => ({ name, role, password: passwordOf(name) })),
      );
      pgUrls.owner = owner;
      for (const { service, name } of LOGINS) pgUrls[service] = withLogin(owner, name, passwordOf(name));
      return asProcess(server);
    },
  });
  const accounts: BusAccount[] = [
    { kind: 'allocator' },
    { kind: 'gateway' },
    { kind: 'registry' },
    { kind: 'observer' },
    ...agentAccounts,
  ];
  const nats = supervise({
    name: 'nats',
    logFile: join(data.logs, 'nats.log'),
    onProgress,
    async launch() {
      const config = natsAuthorization(
        accounts.map((account) => ({ account, password: passwordOf(busUserOf(account)) })),
      );
      const options = { storeDir: data.nats, host: busHost, port: natsPort, config, log: this.logFile };
      return asProcess(await startNats(options));
    },
  });
  const observer = busEnv({ kind: 'observer' });
  const busAs = (account: BusAccount): BusSettings => {
    const user = busUserOf(account);
    return { url: natsUrl, user, password: passwordOf(user) };
  };
  return {
    postgres,
    nats,
    get reach() {
      return { ...observer, BRICKYARD_PG_URL: pgUrls.owner ?? '' };
    },
    reachOf: (service) => ({ ...busEnv({ kind: service }), BRICKYARD_PG_URL: pgUrls[service] ?? '' }),
    agentEnv: busEnv,
    busAs,
    observing: busAs({ kind: 'observer' }),
    start: async () => {
      await Promise.all([postgres.start(), nats.start()]);
    },
    stop: async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
    },
  };
}

function withLogin(ownerUrl: string, name: string, password: string): string {
  const url = new URL(ownerUrl);
  url.username = name;
  url.password = password;
  return url.href;
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
