import { hostname } from 'node:os';
import { ConfigError, readConfig } from '@brickyard/service-host';
import {
  secondsVariable,
  type VolumeServiceSettings,
  volumeServiceSettings,
  volumeServiceVariables,
} from '@brickyard/volume-storage';
import { z } from 'zod';

const PREFIX = 'BRICKYARD_REGISTRY';

const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((text) => text === '1');

const Environment = z.object({
  ...volumeServiceVariables(PREFIX, { name: 'registry', port: 5000 }),
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
  BRICKYARD_REGISTRY_GC_GRACE_SECONDS: secondsVariable(3_600).describe('how long what nobody needs stays'),
  BRICKYARD_REGISTRY_GC_EVERY_SECONDS: secondsVariable(3_600).describe('how often garbage is collected; 0 never'),
  BRICKYARD_REGISTRY_SNAPSHOT_EVENTS: z.coerce
    .number()
    .int()
    .min(1)
    .default(20_000)
    .describe('events between two snapshots of the facts'),
  BRICKYARD_REGISTRY_SCRUB_MIB_SECOND: z.coerce
    .number()
    .int()
    .min(0)
    .default(8)
    .describe('how fast blobs are read again to check them, MiB a second; 0 never'),
});

/** Tokens of whom are taken. */
export interface TokenSettings {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly keysFile: string;
}

/** How this registry finds the API, its volume and its log, and whom it lets in. */
export interface RegistrySettings extends VolumeServiceSettings {
  /** Where the facts are; without it nothing is served. */
  readonly ledger: { readonly pgUrl: string; readonly natsUrl: string } | undefined;
  readonly bus: { readonly user: string | undefined; readonly password: string | undefined };
  readonly isDeleteEnabled: boolean;
  readonly manifestBytesMax: number;
  readonly configFile: string | undefined;
  readonly publicUrl: string;
  readonly htpasswd: { readonly file: string; readonly realm: string } | undefined;
  readonly tokens: TokenSettings | undefined;
  readonly graceMs: number;
  readonly collectEveryMs: number;
  readonly scrubBytesSecond: number;
  readonly snapshotEvents: number;
}

/** Reads the settings; throws `ConfigError` naming each variable at fault. */
export function readSettings(env: NodeJS.ProcessEnv): RegistrySettings {
  const given = readConfig(Environment, env);
  const settings = volumeServiceSettings(PREFIX, given);
  return {
    ...settings,
    ledger:
      given.BRICKYARD_PG_URL === undefined || given.BRICKYARD_NATS_URL === undefined
        ? undefined
        : { pgUrl: given.BRICKYARD_PG_URL, natsUrl: given.BRICKYARD_NATS_URL },
    bus: { user: given.BRICKYARD_NATS_USER, password: given.BRICKYARD_NATS_PASSWORD },
    isDeleteEnabled: given.BRICKYARD_REGISTRY_DELETE,
    manifestBytesMax: given.BRICKYARD_REGISTRY_MANIFEST_BYTES,
    configFile: given.BRICKYARD_REGISTRY_CONFIG,
    publicUrl: given.BRICKYARD_REGISTRY_PUBLIC_URL ?? `http://${hostname()}:${String(settings.port)}`,
    htpasswd:
      given.BRICKYARD_REGISTRY_HTPASSWD === undefined
        ? undefined
        : { file: given.BRICKYARD_REGISTRY_HTPASSWD, realm: given.BRICKYARD_REGISTRY_REALM },
    tokens: tokensFrom(given),
    graceMs: given.BRICKYARD_REGISTRY_GC_GRACE_SECONDS * 1_000,
    collectEveryMs: given.BRICKYARD_REGISTRY_GC_EVERY_SECONDS * 1_000,
    snapshotEvents: given.BRICKYARD_REGISTRY_SNAPSHOT_EVENTS,
    scrubBytesSecond: given.BRICKYARD_REGISTRY_SCRUB_MIB_SECOND * 1024 * 1024,
  };
}

/** Half a configuration of tokens would let nobody in, or anybody. */
function tokensFrom(given: z.infer<typeof Environment>): TokenSettings | undefined {
  const realm = given.BRICKYARD_REGISTRY_TOKEN_REALM;
  const issuer = given.BRICKYARD_REGISTRY_TOKEN_ISSUER;
  const keysFile = given.BRICKYARD_REGISTRY_TOKEN_KEYS;
  if (realm === undefined && issuer === undefined && keysFile === undefined) return undefined;
  if (realm === undefined || issuer === undefined || keysFile === undefined) {
    throw new ConfigError(['BRICKYARD_REGISTRY_TOKEN_REALM, _ISSUER and _KEYS: all three or none of them']);
  }
  return { realm, issuer, keysFile, service: given.BRICKYARD_REGISTRY_TOKEN_SERVICE };
}
