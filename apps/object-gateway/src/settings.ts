import { hostname } from 'node:os';
import { ConfigError, readConfig } from '@brickyard/service-host';
import type { TlsFiles } from '@brickyard/volume-storage';
import { z } from 'zod';
import { type Credential, readKeysFile } from './auth/credentials';

const port = z.coerce.number().int().min(0).max(65_535);
const seconds = (usual: number) => z.coerce.number().int().min(0).default(usual);
const folder = z.string().startsWith('/', 'must be an absolute path').optional();

const Environment = z.object({
  BRICKYARD_API_URL: z.url().optional().describe('address of the API, such as http://gateway:8080'),
  BRICKYARD_API_KEY: z.string().optional().describe("key of the API's user admin"),
  BRICKYARD_OBJECTS_HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  BRICKYARD_OBJECTS_PORT: port.default(9000).describe('port to listen on'),
  BRICKYARD_HEALTH_HOST: z.string().optional().describe('address of health and metrics; all when not set'),
  BRICKYARD_HEALTH_PORT: port.default(9001).describe('port of health and metrics'),
  BRICKYARD_OBJECTS_INSTANCE: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default('objects')
    .describe('name that is the same for all replicas and stays the same over restarts'),
  BRICKYARD_OBJECTS_VOLUME: z
    .string()
    .regex(/^[a-zA-Z0-9_-]+$/, 'must be letters, digits, dashes and underscores')
    .default('objects')
    .describe('name of the volume'),
  BRICKYARD_OBJECTS_SIZE_GIB: z.coerce.number().int().min(1).default(1).describe('size of the volume, GiB'),
  BRICKYARD_OBJECTS_STATE: z
    .string()
    .default('/var/lib/brickyard/objects.json')
    .describe('file that remembers the volume over restarts'),
  BRICKYARD_OBJECTS_MOUNT: folder.describe('directory to mount the volume on'),
  BRICKYARD_OBJECTS_FOLDER: folder.describe('folder of this machine to store in where no volume is mounted'),
  BRICKYARD_OBJECTS_ACCESS_KEY: z.string().min(3).max(128).optional().describe('access key that may do everything'),
  BRICKYARD_OBJECTS_SECRET_KEY: z.string().min(8).optional().describe('its secret'),
  BRICKYARD_OBJECTS_KEYS: z.string().optional().describe('file with more access keys'),
  BRICKYARD_OBJECTS_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'must be small letters, digits and dashes')
    .default('us-east-1')
    .describe('what clients are told of the place'),
  BRICKYARD_OBJECTS_DOMAIN: z.string().optional().describe('domain whose subdomains are buckets'),
  BRICKYARD_OBJECTS_TLS_CERT: z.string().optional().describe('certificate chain, PEM'),
  BRICKYARD_OBJECTS_TLS_KEY: z.string().optional().describe('its key, PEM'),
  BRICKYARD_OBJECTS_ACCESS_LOG: z.enum(['all', 'writes', 'none']).default('writes').describe('which requests are told'),
  BRICKYARD_OBJECTS_SWEEP_SECONDS: seconds(86_400).describe('how often leftovers are looked for; 0 never'),
  BRICKYARD_OBJECTS_GRACE_SECONDS: seconds(86_400).describe('age below which nothing is a leftover'),
  BRICKYARD_OBJECTS_UPLOAD_SECONDS: seconds(604_800).describe('age at which an unfinished upload is dropped'),
  BRICKYARD_OBJECTS_EXPAND_AT_PERCENT: z.coerce.number().int().min(1).max(99).optional().describe('grow at this fill'),
  BRICKYARD_OBJECTS_EXPAND_BY_GIB: z.coerce.number().int().min(1).default(1).describe('grow by so much'),
  BRICKYARD_OBJECTS_DRAIN_SECONDS: seconds(20).describe('time for running requests when told to stop'),
  LOG_LEVEL: z.string().default('info'),
});

/** How this gateway finds the API, where it keeps its volume, and whom it lets in. */
export interface ObjectSettings {
  readonly api: { readonly url: string; readonly key: string | undefined } | undefined;
  readonly host: string;
  readonly port: number;
  readonly healthHost: string | undefined;
  readonly healthPort: number;
  readonly instance: string;
  readonly volume: { readonly name: string; readonly sizeGib: number };
  readonly stateFile: string;
  readonly mountDirectory: string | undefined;
  readonly localFolder: string | undefined;
  readonly credentials: readonly Credential[];
  readonly region: string;
  readonly domain: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly accessLog: 'all' | 'writes' | 'none';
  readonly sweepEveryMs: number;
  readonly graceMs: number;
  readonly uploadAgeMs: number;
  readonly expansion: { readonly usedPercent: number; readonly byGib: number } | undefined;
  readonly drainMs: number;
  readonly logLevel: string;
  /** Name of this machine, for the log. */
  readonly machine: string;
}

/** Reads the settings; throws `ConfigError` naming each variable at fault. */
export function readSettings(env: NodeJS.ProcessEnv): ObjectSettings {
  const given = readConfig(Environment, env);
  return {
    api:
      given.BRICKYARD_API_URL === undefined
        ? undefined
        : { url: given.BRICKYARD_API_URL, key: given.BRICKYARD_API_KEY },
    host: given.BRICKYARD_OBJECTS_HOST,
    port: given.BRICKYARD_OBJECTS_PORT,
    healthHost: given.BRICKYARD_HEALTH_HOST,
    healthPort: given.BRICKYARD_HEALTH_PORT,
    instance: given.BRICKYARD_OBJECTS_INSTANCE,
    volume: { name: given.BRICKYARD_OBJECTS_VOLUME, sizeGib: given.BRICKYARD_OBJECTS_SIZE_GIB },
    stateFile: given.BRICKYARD_OBJECTS_STATE,
    mountDirectory: given.BRICKYARD_OBJECTS_MOUNT,
    localFolder: given.BRICKYARD_OBJECTS_FOLDER,
    credentials: credentialsFrom(given),
    region: given.BRICKYARD_OBJECTS_REGION,
    domain: given.BRICKYARD_OBJECTS_DOMAIN?.toLowerCase(),
    tls: tlsFrom(given),
    accessLog: given.BRICKYARD_OBJECTS_ACCESS_LOG,
    sweepEveryMs: given.BRICKYARD_OBJECTS_SWEEP_SECONDS * 1_000,
    graceMs: given.BRICKYARD_OBJECTS_GRACE_SECONDS * 1_000,
    uploadAgeMs: given.BRICKYARD_OBJECTS_UPLOAD_SECONDS * 1_000,
    expansion:
      given.BRICKYARD_OBJECTS_EXPAND_AT_PERCENT === undefined
        ? undefined
        : { usedPercent: given.BRICKYARD_OBJECTS_EXPAND_AT_PERCENT, byGib: given.BRICKYARD_OBJECTS_EXPAND_BY_GIB },
    drainMs: given.BRICKYARD_OBJECTS_DRAIN_SECONDS * 1_000,
    logLevel: given.LOG_LEVEL,
    machine: hostname(),
  };
}

type Given = z.infer<typeof Environment>;

/** There is no key that everybody knows: without one of his own nobody gets in, so the gateway does not start. */
function credentialsFrom(given: Given): readonly Credential[] {
  const accessKey = given.BRICKYARD_OBJECTS_ACCESS_KEY;
  const secretKey = given.BRICKYARD_OBJECTS_SECRET_KEY;
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    throw new ConfigError(['BRICKYARD_OBJECTS_ACCESS_KEY and _SECRET_KEY: both or none of them']);
  }
  const own = accessKey === undefined || secretKey === undefined ? [] : [{ accessKey, secretKey }];
  const all = own.map((pair): Credential => ({ ...pair, buckets: ['*'], access: 'write' }));
  const listed = given.BRICKYARD_OBJECTS_KEYS === undefined ? [] : readKeysFile(given.BRICKYARD_OBJECTS_KEYS);
  if (all.length + listed.length > 0) return [...all, ...listed];
  throw new ConfigError(['BRICKYARD_OBJECTS_ACCESS_KEY and _SECRET_KEY, or _KEYS: nobody could get in without them']);
}

function tlsFrom(given: Given): TlsFiles | undefined {
  const certFile = given.BRICKYARD_OBJECTS_TLS_CERT;
  const keyFile = given.BRICKYARD_OBJECTS_TLS_KEY;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError(['BRICKYARD_OBJECTS_TLS_CERT and _KEY: both or none of them']);
  }
  return { certFile, keyFile };
}
