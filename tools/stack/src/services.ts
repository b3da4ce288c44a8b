/** The processes of the control plane: what each is called, what it is told, where it answers. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { DataDirectory } from './data-directory';
import { lastingPort } from './free-port';
import { mainOf, startNodeProcess } from './node-process';
import type { StackPlan } from './options';
import type { ProcessNotes } from './process-record';
import { type Service, supervise } from './service';
import type { Servers } from './servers';

const LOOPBACK = '127.0.0.1';

/** A service with the port its health is asked at. */
export interface HealthyService {
  readonly service: Service;
  readonly healthPort: number;
}

/** A gateway, and the port its clients use. */
export interface Gateway extends HealthyService {
  readonly httpPort: number;
}

/** The access key of the object gateway, as its clients must have it. */
export interface ObjectKeys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The key that belongs to a system: the same at every start. */
export function objectKeysOf({ kept }: Pick<DataDirectory, 'kept'>): ObjectKeys {
  const secretKey = createHmac('sha256', kept.busPassword).update('objects').digest('hex').slice(0, 40);
  return { accessKey: 'brickyard', secretKey };
}

/** What every service is started with. */
export interface ServiceContext {
  readonly plan: StackPlan;
  readonly data: DataDirectory;
  readonly notes: ProcessNotes;
  /** Variables by which a service reaches Postgres and NATS, with rights of its own. */
  readonly reachOf: Servers['reachOf'];
}

/** The key that secrets of block volumes follow from: the same for every process of this folder, now and later. */
const chapKeyOf = ({ data }: ServiceContext): string =>
  createHmac('sha256', data.kept.busPassword).update('block volumes').digest('hex');

const KIB_PER_GIB = 1024 ** 2;

/** Volumes to hold block volumes are made by themselves, a quarter of a device large: here somebody tries things. */
const hostingDefaults = ({ plan }: ServiceContext): Readonly<Record<string, string>> =>
  plan.configFile === undefined
    ? {
        HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME: 'true',
        HEKETI_BLOCK_HOSTING_VOLUME_SIZE: String(Math.max(2, Math.floor(plan.deviceSizeKib / KIB_PER_GIB / 4))),
      }
    : {};

/** An allocator; the first to win the lock leads. */
export async function allocator(context: ServiceContext, number: number): Promise<HealthyService> {
  const healthPort = await lastingPort(LOOPBACK);
  const env = {
    ...context.reachOf('allocator'),
    BRICKYARD_HEALTH_PORT: String(healthPort),
    BRICKYARD_CHAP_KEYS: chapKeyOf(context),
    BRICKYARD_CHECKPOINT_KEY_FILE: join(context.data.path, 'checkpoint-key.pem'),
    BRICKYARD_CHECKPOINT_FILE: join(context.data.path, 'checkpoints.jsonl'),
  };
  return { healthPort, service: serviceOf(context, `allocator-${String(number)}`, 'allocator', env) };
}

/** A gateway; the keys of heketi's configuration file win over the generated ones. */
export async function gateway(
  context: ServiceContext,
  number: number,
  door: { readonly httpPort: number; readonly adminKey: string; readonly userKey: string },
): Promise<Gateway> {
  const { plan } = context;
  const healthPort = await lastingPort(LOOPBACK);
  const env = {
    ...context.reachOf('gateway'),
    BRICKYARD_HTTP_HOST: LOOPBACK,
    BRICKYARD_HTTP_PORT: String(door.httpPort),
    BRICKYARD_HEALTH_PORT: String(healthPort),
    BRICKYARD_ADMIN_KEY: door.adminKey,
    BRICKYARD_USER_KEY: door.userKey,
    BRICKYARD_CHAP_KEYS: chapKeyOf(context),
    ...(plan.configFile === undefined ? {} : { BRICKYARD_CONFIG: plan.configFile }),
    ...hostingDefaults(context),
    ...plan.env,
  };
  const service = serviceOf(context, `api-gateway-${String(number)}`, 'api-gateway', env);
  return { service, healthPort, httpPort: door.httpPort };
}

/** The registry backend; where the hosts are simulated there is no volume to mount, and it stores in a folder. */
export async function registryBackend(
  context: ServiceContext,
  api: { readonly url: string; readonly adminKey: string },
): Promise<HealthyService> {
  const { plan, data } = context;
  const healthPort = await lastingPort(LOOPBACK);
  const env = {
    ...context.reachOf('registry'),
    BRICKYARD_API_URL: api.url,
    BRICKYARD_API_KEY: api.adminKey,
    BRICKYARD_REGISTRY_HOST: LOOPBACK,
    BRICKYARD_REGISTRY_PORT: String(healthPort),
    BRICKYARD_REGISTRY_STATE: join(data.path, 'registry.json'),
    BRICKYARD_REGISTRY_DELETE: '1',
    [plan.hosts === 'real' ? 'BRICKYARD_REGISTRY_MOUNT' : 'BRICKYARD_REGISTRY_FOLDER']: join(data.path, 'registry'),
  };
  return { healthPort, service: serviceOf(context, 'registry-backend', 'registry-backend', env) };
}

/** A replica of the object gateway, and the port its clients use; all replicas share one volume. */
export async function objectGateway(
  context: ServiceContext,
  number: number,
  door: { readonly url: string; readonly adminKey: string; readonly keys: ObjectKeys },
): Promise<Gateway> {
  const { plan, data } = context;
  const [httpPort, healthPort] = [await lastingPort(LOOPBACK), await lastingPort(LOOPBACK)];
  const name = `object-gateway-${String(number)}`;
  const folder = plan.hosts === 'real' ? join(data.path, name) : join(data.path, 'objects');
  const env = {
    BRICKYARD_API_URL: door.url,
    BRICKYARD_API_KEY: door.adminKey,
    BRICKYARD_OBJECTS_HOST: LOOPBACK,
    BRICKYARD_OBJECTS_PORT: String(httpPort),
    BRICKYARD_HEALTH_HOST: LOOPBACK,
    BRICKYARD_HEALTH_PORT: String(healthPort),
    BRICKYARD_OBJECTS_STATE: join(data.path, `${name}.json`),
    BRICKYARD_OBJECTS_ACCESS_KEY: door.keys.accessKey,
    BRICKYARD_OBJECTS_SECRET_KEY: door.keys.secretKey,
    [plan.hosts === 'real' ? 'BRICKYARD_OBJECTS_MOUNT' : 'BRICKYARD_OBJECTS_FOLDER']: folder,
  };
  return { httpPort, healthPort, service: serviceOf(context, name, 'object-gateway', env) };
}

function serviceOf(context: ServiceContext, name: string, app: string, env: Readonly<Record<string, string>>): Service {
  const { plan, data, notes } = context;
  const logFile = join(data.logs, `${name}.log`);
  const all = { ...plan.env, ...env };
  return supervise({
    name,
    logFile,
    onProgress: plan.onProgress,
    launch: () => startNodeProcess({ name, entry: mainOf(app), env: all, logFile, notes }),
  });
}
