/** What the starter of a system holds in hand. */
import { writeFileSync } from 'node:fs';
import { type HostLab, tracesOf } from '@brickyard/hosts';
import type { BusAccount } from '@brickyard/contracts';
import { type ApiClient, type BusSettings, createApiClient } from '@brickyard/service-host';
import type { DataDirectory } from './data-directory';
import type { Fleet, HostPlace } from './fleet';
import type { StackPlan } from './options';
import { checkLeader, checkReady, eventually } from './readiness';
import type { Servers } from './servers';
import type { Service } from './service';
import { type Gateway, type HealthyService, type ObjectKeys, objectKeysOf } from './services';

const QUEUE_POLL_MS = 50;
const LEADER_TIMEOUT_MS = 60_000;

/** A running system. */
export interface RunningStack {
  /** Where the HTTP API is, such as `http://127.0.0.1:8080`. */
  readonly apiUrl: string;
  /** All gateways, the first of which is `apiUrl`. */
  readonly apiUrls: readonly string[];
  readonly adminKey: string;
  readonly userKey: string;
  /** Where the registry backend answers; absent when it was not started. */
  readonly registryUrl?: string;
  /** Where the object gateways answer, and the key they take; empty when none was started. */
  readonly objects: { readonly urls: readonly string[]; readonly keys: ObjectKeys };
  /** Variables for a shell or a child process that wants to use the system. */
  readonly env: Readonly<Record<string, string>>;
  /** By name: `postgres`, `nats`, `allocator-1`, `api-gateway-1`, `node-agent-storage-1` or `node-agents`, `registry-backend`, `object-gateway-1`. */
  readonly services: ReadonlyMap<string, Service>;
  /** Storage hosts as the topology names them. */
  readonly hosts: readonly HostPlace[];
  /** The real hosts, to look inside and to cut their network; absent when they are simulated. */
  readonly lab?: HostLab;
  /** A client of the API with the administrator's key; close it when done. */
  client(): ApiClient;
  /** The service of a name; throws when there is none. */
  service(name: string): Service;
  /** The allocator that leads now; waits for one. */
  leader(): Promise<Service>;
  /** Waits until every allocator leads or stands by, and every gateway takes requests. */
  ready(): Promise<void>;
  /** How to be on the bus as one of the system's own processes: for tests of what it must withstand. */
  busAs(account: BusAccount): BusSettings;
  /** Power loss of a host; a simulated one falls silent. */
  crashHost(name: string): Promise<void>;
  /** Switches a host on again. */
  bootHost(name: string): Promise<void>;
  /** Ends everything in order; the data stays. */
  stop(): Promise<void>;
  /** Names every process, mount, loop device and namespace of this system that is on the machine now; none after `stop`. */
  traces(): Promise<readonly string[]>;
}

/** The way in: one URL for each gateway, and the keys. */
export interface Door {
  readonly urls: readonly [string, ...string[]];
  readonly adminKey: string;
  readonly userKey: string;
}

/** What was started. */
export interface Parts {
  readonly plan: StackPlan;
  readonly data: DataDirectory;
  readonly fleet: Fleet;
  readonly servers: Servers;
  readonly door: Door;
  readonly allocators: readonly HealthyService[];
  readonly gateways: readonly Gateway[];
  readonly registry?: HealthyService;
  readonly objects: readonly Gateway[];
  stop(): Promise<void>;
}

/** Binds the parts of a started system to what its starter may do with them, and writes the variables for a shell. */
export function runningStack(parts: Parts): RunningStack {
  const { door, fleet, allocators, gateways, registry } = parts;
  const services = servicesOf(parts);
  const registryUrl = registry === undefined ? undefined : `http://127.0.0.1:${String(registry.healthPort)}`;
  const objects = {
    urls: parts.objects.map(({ httpPort }) => `http://127.0.0.1:${String(httpPort)}`),
    keys: objectKeysOf(parts.data),
  };
  const env = { ...envOf(parts, registryUrl), ...objectEnv(objects) };
  writeEnv(parts.data.env, env);
  let stopping: Promise<void> | undefined;
  return {
    apiUrl: door.urls[0],
    apiUrls: door.urls,
    adminKey: door.adminKey,
    userKey: door.userKey,
    ...(registryUrl === undefined ? {} : { registryUrl }),
    objects,
    env,
    services,
    hosts: fleet.places,
    ...(fleet.lab === undefined ? {} : { lab: fleet.lab }),
    client: () => clientOf(door),
    service: (name) => serviceNamed(services, name),
    leader: () => eventually('no allocator leads', LEADER_TIMEOUT_MS, () => findLeader(allocators)),
    ready: async () => {
      for (const { service, healthPort } of [...allocators, ...gateways]) {
        await eventually(`${service.name} is not ready`, LEADER_TIMEOUT_MS, () => checkReady(healthPort));
      }
    },
    busAs: (account) => parts.servers.busAs(account),
    crashHost: (name) => fleet.crashHost(name),
    bootHost: (name) => fleet.bootHost(name),
    stop: () => (stopping ??= parts.stop()),
    traces: () => tracesOfSystem(parts.data, services),
  };
}

async function tracesOfSystem(
  { hosts }: DataDirectory,
  services: ReadonlyMap<string, Service>,
): Promise<readonly string[]> {
  const running = [...services.values()].filter(({ pid }) => pid !== undefined);
  const processes = running.map(({ name, pid }) => `process ${String(pid)} (${name})`);
  return [...processes, ...(process.platform === 'linux' ? await tracesOf({ directory: hosts }) : [])];
}

function servicesOf({ servers, allocators, gateways, registry, objects, fleet }: Parts): ReadonlyMap<string, Service> {
  const healthy = [...allocators, ...gateways, ...(registry === undefined ? [] : [registry]), ...objects];
  const all = [servers.postgres, servers.nats, ...healthy.map(({ service }) => service), ...fleet.agents];
  return new Map(all.map((service) => [service.name, service]));
}

function envOf({ plan, door, servers }: Parts, registryUrl: string | undefined): Readonly<Record<string, string>> {
  return {
    HEKETI_CLI_SERVER: door.urls[0],
    HEKETI_CLI_USER: 'admin',
    HEKETI_CLI_KEY: door.adminKey,
    HEKETI_USER_KEY: door.userKey,
    ...servers.reach,
    ...(registryUrl === undefined ? {} : { BRICKYARD_REGISTRY_URL: registryUrl }),
    BRICKYARD_HOSTS: plan.hosts,
  };
}

/** Under the names that Amazon's tools read. */
function objectEnv({ urls: [url], keys }: RunningStack['objects']): Readonly<Record<string, string>> {
  if (url === undefined) return {};
  return {
    BRICKYARD_OBJECTS_URL: url,
    AWS_ENDPOINT_URL: url,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: keys.accessKey,
    AWS_SECRET_ACCESS_KEY: keys.secretKey,
  };
}

/** A client with the administrator's key, quicker to ask again than a client far away should be. */
export const clientOf = ({ urls, adminKey }: Door): ApiClient =>
  createApiClient({ url: urls[0], user: 'admin', key: adminKey, pollMs: QUEUE_POLL_MS });

function serviceNamed(services: ReadonlyMap<string, Service>, name: string): Service {
  const service = services.get(name);
  if (service === undefined) throw new Error(`there is no service ${name}, only ${[...services.keys()].join(', ')}`);
  return service;
}

async function findLeader(allocators: readonly HealthyService[]): Promise<Service> {
  return Promise.any(allocators.map(({ service, healthPort }) => checkLeader(healthPort).then(() => service)));
}

/** For a shell to source; it holds keys, so it is the owner's alone. */
function writeEnv(file: string, env: Readonly<Record<string, string>>): void {
  const lines = Object.entries(env).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`);
  writeFileSync(file, lines.join(''), { mode: 0o600 });
}
