/** Everything the gateway is told at its start: Brickyard's variables first, then heketi's, then heketi's file, then defaults. */
import { readFileSync } from 'node:fs';
import { AdminMode, gib, kibOf, type PlacementPolicy } from '@brickyard/contracts';
import {
  type BusSettings,
  busSettings,
  busVariables,
  type ChapKeys,
  chapKeysFrom,
  chapVariables,
  ConfigError,
  readConfig,
} from '@brickyard/service-host';
import { z } from 'zod';
import type { ServerVolumeOptions } from '../heketi/volume-request';
import { HeketiFile, heketiVariables, type HeketiVariables } from './heketi-file';

/** heketi's words when a server that asks for tokens has no keys to check them with. */
export const MISSING_KEYS = 'ERROR: Missing JWT information in config file';

/** What the gateway runs with. */
export interface GatewaySettings {
  readonly http: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    readonly tls?: { readonly cert: string; readonly key: string };
    /** What one address may ask; absent: there is no limit. */
    readonly requestsPerSecond?: number;
    /** Log one line for each request. */
    readonly logRequests: boolean;
  };
  readonly health: { readonly host: string; readonly port: number };
  readonly nats: BusSettings;
  readonly postgresUrl: string;
  /** Secrets that tokens are signed with; absent when authentication is off. */
  readonly keys?: { readonly admin: string; readonly user: string };
  readonly issuedAtLeewaySeconds: number;
  readonly policy: PlacementPolicy;
  readonly volumeOptions: ServerVolumeOptions;
  /** Volumes that hold block volumes: whether they are made when one is needed, and how large. */
  readonly hosting: { readonly isAutomatic: boolean; readonly sizeGib: number };
  /** Absent: no block volume can ask initiators for a secret. */
  readonly chapKeys?: ChapKeys;
  /** Volume operations at once before requests are refused with 429; absent: no limit, since commands queue safely. */
  readonly inFlightMax?: number;
  /** The admin mode a start sets; absent: it stays as it was left. */
  readonly defaultMode?: AdminMode;
  readonly logLevel: string;
}

const HTTP_PORT_DEFAULT = 8080;
const LEEWAY_SECONDS_DEFAULT = 120;
const HOSTING_OPTIONS_DEFAULT = 'group gluster-block';
/** heketi's defaults: bricks of 1 GiB to 4 TiB, 32 a volume, 1000 volumes a cluster, 8 operations at once, 1 TiB for block volumes. */
const DEFAULTS = { brickMinGib: 1, brickMaxGib: 4_096, bricks: 32, volumes: 1_000, inFlight: 8, hostingGib: 1_024 };

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .pipe(z.int().max(65_535));
const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true');

const Environment = z.object({
  BRICKYARD_HTTP_HOST: z.string().default('127.0.0.1'),
  BRICKYARD_HTTP_PORT: port.optional(),
  BRICKYARD_HEALTH_HOST: z.string().default('127.0.0.1'),
  BRICKYARD_HEALTH_PORT: port.default(0),
  BRICKYARD_TLS_CERT: z
    .string()
    .optional()
    .describe('PEM; the certificate of the API, with those between it and the authority'),
  BRICKYARD_TLS_KEY: z.string().optional().describe('PEM; its key'),
  ...busVariables,
  ...chapVariables,
  BRICKYARD_PG_URL: z.string().describe('such as postgres://user@127.0.0.1/brickyard'),
  BRICKYARD_ADMIN_KEY: z.string().optional(),
  BRICKYARD_USER_KEY: z.string().optional(),
  BRICKYARD_DISABLE_AUTH: flag.default(false),
  BRICKYARD_CONFIG: z.string().optional().describe("heketi's configuration file"),
  BRICKYARD_REQUESTS_PER_SECOND: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('requests a second that one address may make'),
  BRICKYARD_LOG_LEVEL: z.string().default('info'),
  BRICKYARD_LOG_REQUESTS: flag.default(false),
  ...heketiVariables,
});
type Environment = z.infer<typeof Environment>;

/** Reads the settings; throws `ConfigError` that names every variable or file at fault, never a value. */
export function readSettings(env: NodeJS.ProcessEnv): GatewaySettings {
  const given = readConfig(Environment, env);
  const file = given.BRICKYARD_CONFIG === undefined ? {} : readHeketiFile(given.BRICKYARD_CONFIG);
  const keys = given.BRICKYARD_DISABLE_AUTH ? undefined : keysFrom(given, file);
  const inFlightMax = inFlightFrom(given, file);
  const chapKeys = chapKeysFrom(given);
  return {
    http: httpFrom(given, file),
    health: { host: given.BRICKYARD_HEALTH_HOST, port: given.BRICKYARD_HEALTH_PORT },
    nats: busSettings(given),
    postgresUrl: given.BRICKYARD_PG_URL,
    ...(keys === undefined ? {} : { keys }),
    issuedAtLeewaySeconds: given.HEKETI_JWT_IAT_LEEWAY_SECONDS ?? LEEWAY_SECONDS_DEFAULT,
    policy: policyFrom(given, file),
    volumeOptions: {
      before: given.HEKETI_PRE_REQUEST_VOLUME_OPTIONS ?? file.glusterfs?.pre_request_volume_options ?? '',
      after: given.HEKETI_POST_REQUEST_VOLUME_OPTIONS ?? file.glusterfs?.post_request_volume_options ?? '',
      hosting:
        given.HEKETI_BLOCK_HOSTING_VOLUME_OPTIONS ??
        file.glusterfs?.block_hosting_volume_options ??
        HOSTING_OPTIONS_DEFAULT,
    },
    hosting: hostingFrom(given, file),
    ...(chapKeys === undefined ? {} : { chapKeys }),
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    ...modeFrom(given, file),
    logLevel: given.BRICKYARD_LOG_LEVEL,
  };
}

function readHeketiFile(path: string): HeketiFile {
  const text = readFile(path, 'BRICKYARD_CONFIG');
  try {
    return HeketiFile.parse(JSON.parse(text));
  } catch (error) {
    const problems = error instanceof z.ZodError ? error.issues.map(describeIssue) : ['is not valid JSON'];
    throw new ConfigError(problems.map((problem) => `BRICKYARD_CONFIG: ${path}: ${problem}`));
  }
}

const describeIssue = ({ path, message }: z.core.$ZodIssue): string => `${path.join('.')}: ${message}`;

function readFile(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${variable}: ${path} cannot be read (${code})`]);
  }
}

function keysFrom(given: Environment, { jwt }: HeketiFile): { admin: string; user: string } {
  const admin = given.BRICKYARD_ADMIN_KEY ?? given.HEKETI_ADMIN_KEY ?? jwt?.admin?.key ?? '';
  const user = given.BRICKYARD_USER_KEY ?? given.HEKETI_USER_KEY ?? jwt?.user?.key ?? '';
  if (admin === '' || user === '') throw new ConfigError([MISSING_KEYS]);
  return { admin, user };
}

function httpFrom(given: Environment, file: HeketiFile): GatewaySettings['http'] {
  const heketiPort = port.safeParse(given.HEKETI_HTTP_PORT ?? file.port ?? String(HTTP_PORT_DEFAULT));
  if (!heketiPort.success) throw new ConfigError(['port: must be a port number']);
  const base = {
    host: given.BRICKYARD_HTTP_HOST,
    port: given.BRICKYARD_HTTP_PORT ?? heketiPort.data,
    logRequests: given.BRICKYARD_LOG_REQUESTS,
    ...(given.BRICKYARD_REQUESTS_PER_SECOND === undefined
      ? {}
      : { requestsPerSecond: given.BRICKYARD_REQUESTS_PER_SECOND }),
  };
  const { BRICKYARD_TLS_CERT: ownCert, BRICKYARD_TLS_KEY: ownKey } = given;
  if (ownCert !== undefined && ownKey !== undefined) return { ...base, tls: { cert: ownCert, key: ownKey } };
  if (ownCert !== ownKey) throw new ConfigError(['BRICKYARD_TLS_CERT and BRICKYARD_TLS_KEY: one without the other']);
  if (file.enable_tls !== true) return base;
  const cert = readFile(file.cert_file ?? '', 'cert_file');
  return { ...base, tls: { cert, key: readFile(file.key_file ?? '', 'key_file') } };
}

/** 0 means the default wherever heketi says so. */
function policyFrom(given: HeketiVariables, { glusterfs = {} }: HeketiFile): PlacementPolicy {
  const zones = given.HEKETI_ZONE_CHECKING ?? glusterfs.zone_checking;
  const averageFileKib = glusterfs.average_file_size_kb ?? 0;
  const volumes = given.HEKETI_GLUSTER_MAX_VOLUMES_PER_CLUSTER ?? glusterfs.max_volumes_per_cluster;
  return {
    brickMinKib: kibOf(gib(orDefault(glusterfs.brick_min_size_gb, DEFAULTS.brickMinGib))),
    brickMaxKib: kibOf(gib(orDefault(glusterfs.brick_max_size_gb, DEFAULTS.brickMaxGib))),
    bricksPerVolumeMax: orDefault(glusterfs.max_bricks_per_volume, DEFAULTS.bricks),
    volumesPerClusterMax: orDefault(volumes, DEFAULTS.volumes),
    zoneChecking: zones === 'strict' ? 'strict' : 'none',
    ...(averageFileKib > 0 ? { averageFileKib } : {}),
  };
}

function hostingFrom(given: HeketiVariables, { glusterfs = {} }: HeketiFile): GatewaySettings['hosting'] {
  const sizeGib = given.HEKETI_BLOCK_HOSTING_VOLUME_SIZE ?? glusterfs.block_hosting_volume_size;
  return {
    isAutomatic: given.HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME ?? glusterfs.auto_create_block_hosting_volume ?? false,
    sizeGib: orDefault(sizeGib, DEFAULTS.hostingGib),
  };
}

function modeFrom(given: HeketiVariables, file: HeketiFile): Pick<GatewaySettings, 'defaultMode'> {
  const name = given.HEKETI_DEFAULT_STATE ?? file.default_state ?? '';
  if (name === '') return {};
  const mode = AdminMode.safeParse(name);
  if (mode.success) return { defaultMode: mode.data };
  throw new ConfigError([`ERROR: unable to set admin state: unknown admin state name: ${name}`]);
}

/** No limit unless somebody asks for one: what heketi refuses, the allocator queues. */
function inFlightFrom(given: HeketiVariables, { glusterfs = {} }: HeketiFile): number | undefined {
  const asked = given.HEKETI_MAX_INFLIGHT_OPERATIONS ?? glusterfs.max_inflight_operations;
  return asked === undefined ? undefined : orDefault(asked, DEFAULTS.inFlight);
}

const orDefault = (value: number | undefined, fallback: number): number =>
  value === undefined || value === 0 ? fallback : value;
