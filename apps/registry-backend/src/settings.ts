import { hostname } from 'node:os';
import { ConfigError, readConfig } from '@brickyard/service-host';
import { z } from 'zod';

const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((text) => text === '1');
const seconds = (usual: number) => z.coerce.number().int().min(0).default(usual);

const Environment = z.object({
  BRICKYARD_API_URL: z.url().optional().describe('address of the API, such as http://gateway:8080'),
  BRICKYARD_API_KEY: z.string().optional().describe("key of the API's user admin"),
  BRICKYARD_REGISTRY_HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  BRICKYARD_REGISTRY_PORT: z.coerce.number().int().min(0).max(65_535).default(5000).describe('port to listen on'),
  BRICKYARD_REGISTRY_INSTANCE: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default('registry')
    .describe('name that stays the same over restarts and differs between registries'),
  BRICKYARD_REGISTRY_VOLUME: z
    .string()
    .regex(/^[a-zA-Z0-9_-]+$/, 'must be letters, digits, dashes and underscores')
    .default('registry')
    .describe('name of the volume'),
  BRICKYARD_REGISTRY_SIZE_GIB: z.coerce.number().int().min(1).default(1).describe('size of the volume, GiB'),
  BRICKYARD_REGISTRY_STATE: z
    .string()
    .default('/var/lib/brickyard/registry.json')
    .describe('file that remembers the volume over restarts'),
  BRICKYARD_REGISTRY_MOUNT: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .optional()
    .describe('directory to mount the volume on; not set where the storage hosts are simulated'),
  BRICKYARD_REGISTRY_FOLDER: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .optional()
    .describe('folder of this machine to store in where no volume is mounted'),
  BRICKYARD_PG_URL: z.string().optional().describe('the database with the log'),
  BRICKYARD_NATS_URL: z.string().optional().describe('nats://host:port'),
  BRICKYARD_NATS_USER: z.string().optional(),
  BRICKYARD_NATS_PASSWORD: z.string().optional(),
  BRICKYARD_REGISTRY_DELETE: flag.describe('1 lets clients delete tags, manifests and blobs'),
  BRICKYARD_REGISTRY_MANIFEST_BYTES: z.coerce
    .number()
    .int()
    .min(4_194_304)
    .max(67_108_864)
    .default(8_388_608)
    .describe('largest manifest, bytes'),
  BRICKYARD_REGISTRY_CONFIG: z.string().optional().describe('file with quotas, rules and webhooks'),
  BRICKYARD_REGISTRY_PUBLIC_URL: z.url().optional().describe('what clients call this registry, for webhooks'),
  BRICKYARD_REGISTRY_HTPASSWD: z.string().optional().describe('file of users with bcrypt passwords'),
  BRICKYARD_REGISTRY_REALM: z.string().default('registry').describe('what a password is asked for'),
  BRICKYARD_REGISTRY_TOKEN_REALM: z.url().optional().describe('where clients get tokens'),
  BRICKYARD_REGISTRY_TOKEN_SERVICE: z.string().default('registry').describe('audience of tokens'),
  BRICKYARD_REGISTRY_TOKEN_ISSUER: z.string().optional().describe('issuer of tokens'),
  BRICKYARD_REGISTRY_TOKEN_KEYS: z.string().optional().describe('file with the keys of the issuer: JWKS or PEM'),
  BRICKYARD_REGISTRY_TLS_CERT: z.string().optional().describe('certificate chain, PEM'),
  BRICKYARD_REGISTRY_TLS_KEY: z.string().optional().describe('its key, PEM'),
  BRICKYARD_REGISTRY_ACCESS_LOG: z
    .enum(['all', 'writes', 'none'])
    .default('writes')
    .describe('which requests are told'),
  BRICKYARD_REGISTRY_GC_GRACE_SECONDS: seconds(3_600).describe('how long what nobody needs stays'),
  BRICKYARD_REGISTRY_GC_EVERY_SECONDS: seconds(3_600).describe('how often garbage is collected; 0 never'),
  BRICKYARD_REGISTRY_UPLOAD_SECONDS: seconds(604_800).describe('age at which an unfinished upload is dropped'),
  BRICKYARD_REGISTRY_SCRUB_MIB_SECOND: seconds(8).describe('how fast blobs are read again to check them; 0 never'),
  BRICKYARD_REGISTRY_EXPAND_AT_PERCENT: z.coerce.number().int().min(1).max(99).optional().describe('grow at this fill'),
  BRICKYARD_REGISTRY_EXPAND_BY_GIB: z.coerce.number().int().min(1).default(1).describe('grow by so much'),
  BRICKYARD_REGISTRY_DRAIN_SECONDS: seconds(20).describe('time for running requests when told to stop'),
  LOG_LEVEL: z.string().default('info'),
});

/** Tokens of whom are taken. */
export interface TokenSettings {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly keysFile: string;
}

/** How this registry finds the API and where it keeps its volume. */
export interface RegistrySettings {
  readonly api: { readonly url: string; readonly key: string | undefined } | undefined;
  readonly host: string;
  readonly port: number;
  readonly instance: string;
  readonly volume: { readonly name: string; readonly sizeGib: number };
  readonly stateFile: string;
  readonly mountDirectory: string | undefined;
  readonly localFolder: string | undefined;
  /** Where the facts are; without it nothing is served. */
  readonly ledger: { readonly pgUrl: string; readonly natsUrl: string } | undefined;
  readonly bus: { readonly user: string | undefined; readonly password: string | undefined };
  readonly isDeleteEnabled: boolean;
  readonly manifestBytesMax: number;
  readonly configFile: string | undefined;
  readonly publicUrl: string;
  readonly htpasswd: { readonly file: string; readonly realm: string } | undefined;
  readonly tokens: TokenSettings | undefined;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly accessLog: 'all' | 'writes' | 'none';
  readonly graceMs: number;
  readonly collectEveryMs: number;
  readonly uploadAgeMs: number;
  readonly scrubBytesSecond: number;
  readonly expansion: { readonly usedPercent: number; readonly byGib: number } | undefined;
  readonly drainMs: number;
  readonly logLevel: string;
  /** Name of this machine, for the log. */
  readonly machine: string;
}

/** Reads the settings; throws `ConfigError` naming each variable at fault. */
export function readSettings(env: NodeJS.ProcessEnv): RegistrySettings {
  const given = readConfig(Environment, env);
  return {
    api:
      given.BRICKYARD_API_URL === undefined
        ? undefined
        : { url: given.BRICKYARD_API_URL, key: given.BRICKYARD_API_KEY },
    host: given.BRICKYARD_REGISTRY_HOST,
    port: given.BRICKYARD_REGISTRY_PORT,
    instance: given.BRICKYARD_REGISTRY_INSTANCE,
    volume: { name: given.BRICKYARD_REGISTRY_VOLUME, sizeGib: given.BRICKYARD_REGISTRY_SIZE_GIB },
    stateFile: given.BRICKYARD_REGISTRY_STATE,
    mountDirectory: given.BRICKYARD_REGISTRY_MOUNT,
    localFolder: given.BRICKYARD_REGISTRY_FOLDER,
    ledger:
      given.BRICKYARD_PG_URL === undefined || given.BRICKYARD_NATS_URL === undefined
        ? undefined
        : { pgUrl: given.BRICKYARD_PG_URL, natsUrl: given.BRICKYARD_NATS_URL },
    bus: { user: given.BRICKYARD_NATS_USER, password: given.BRICKYARD_NATS_PASSWORD },
    isDeleteEnabled: given.BRICKYARD_REGISTRY_DELETE,
    manifestBytesMax: given.BRICKYARD_REGISTRY_MANIFEST_BYTES,
    configFile: given.BRICKYARD_REGISTRY_CONFIG,
    publicUrl: given.BRICKYARD_REGISTRY_PUBLIC_URL ?? `http://${hostname()}:${String(given.BRICKYARD_REGISTRY_PORT)}`,
    htpasswd:
      given.BRICKYARD_REGISTRY_HTPASSWD === undefined
        ? undefined
        : { file: given.BRICKYARD_REGISTRY_HTPASSWD, realm: given.BRICKYARD_REGISTRY_REALM },
    tokens: tokensFrom(given),
    tls: tlsFrom(given),
    accessLog: given.BRICKYARD_REGISTRY_ACCESS_LOG,
    graceMs: given.BRICKYARD_REGISTRY_GC_GRACE_SECONDS * 1_000,
    collectEveryMs: given.BRICKYARD_REGISTRY_GC_EVERY_SECONDS * 1_000,
    uploadAgeMs: given.BRICKYARD_REGISTRY_UPLOAD_SECONDS * 1_000,
    scrubBytesSecond: given.BRICKYARD_REGISTRY_SCRUB_MIB_SECOND * 1024 * 1024,
    expansion:
      given.BRICKYARD_REGISTRY_EXPAND_AT_PERCENT === undefined
        ? undefined
        : {
            usedPercent: given.BRICKYARD_REGISTRY_EXPAND_AT_PERCENT,
            byGib: given.BRICKYARD_REGISTRY_EXPAND_BY_GIB,
          },
    drainMs: given.BRICKYARD_REGISTRY_DRAIN_SECONDS * 1_000,
    logLevel: given.LOG_LEVEL,
    machine: hostname(),
  };
}

type Given = z.infer<typeof Environment>;

/** Half a configuration of tokens would let nobody in, or anybody. */
function tokensFrom(given: Given): TokenSettings | undefined {
  const realm = given.BRICKYARD_REGISTRY_TOKEN_REALM;
  const issuer = given.BRICKYARD_REGISTRY_TOKEN_ISSUER;
  const keysFile = given.BRICKYARD_REGISTRY_TOKEN_KEYS;
  if (realm === undefined && issuer === undefined && keysFile === undefined) return undefined;
  if (realm === undefined || issuer === undefined || keysFile === undefined) {
    throw new ConfigError(['BRICKYARD_REGISTRY_TOKEN_REALM, _ISSUER and _KEYS: all three or none of them']);
  }
  return { realm, issuer, keysFile, service: given.BRICKYARD_REGISTRY_TOKEN_SERVICE };
}

function tlsFrom(given: Given): RegistrySettings['tls'] {
  const certFile = given.BRICKYARD_REGISTRY_TLS_CERT;
  const keyFile = given.BRICKYARD_REGISTRY_TLS_KEY;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError(['BRICKYARD_REGISTRY_TLS_CERT and _KEY: both or none of them']);
  }
  return { certFile, keyFile };
}
