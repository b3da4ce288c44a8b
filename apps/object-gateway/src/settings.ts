import { ConfigError, readConfig } from '@brickyard/service-host';
import {
  pairOf,
  portVariable,
  secondsVariable,
  type VolumeServiceSettings,
  volumeServiceSettings,
  volumeServiceVariables,
} from '@brickyard/volume-storage';
import { z } from 'zod';
import { type Credential, readKeysFile } from './auth/credentials';

const PREFIX = 'BRICKYARD_OBJECTS';

const Environment = z.object({
  ...volumeServiceVariables(PREFIX, { name: 'objects', port: 9000 }),
  BRICKYARD_HEALTH_HOST: z.string().optional().describe('address of health and metrics; all when not set'),
  BRICKYARD_HEALTH_PORT: portVariable.default(9001).describe('port of health and metrics'),
  BRICKYARD_OBJECTS_ACCESS_KEY: z.string().min(3).max(128).optional().describe('access key that may do everything'),
  BRICKYARD_OBJECTS_SECRET_KEY: z.string().min(8).optional().describe('its secret'),
  BRICKYARD_OBJECTS_KEYS: z.string().optional().describe('file with more access keys'),
  BRICKYARD_OBJECTS_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'must be small letters, digits and dashes')
    .default('us-east-1')
    .describe('what clients are told of the place'),
  BRICKYARD_OBJECTS_DOMAIN: z.string().optional().describe('domain whose subdomains are buckets'),
  BRICKYARD_OBJECTS_SWEEP_SECONDS: secondsVariable(86_400).describe('how often leftovers are looked for; 0 never'),
  BRICKYARD_OBJECTS_GRACE_SECONDS: secondsVariable(86_400).describe('age below which nothing is a leftover'),
});

/** How this gateway finds the API, where it keeps its volume, and whom it lets in. */
export interface ObjectSettings extends VolumeServiceSettings {
  readonly healthHost: string | undefined;
  readonly healthPort: number;
  readonly credentials: readonly Credential[];
  readonly region: string;
  readonly domain: string | undefined;
  readonly sweepEveryMs: number;
  readonly graceMs: number;
}

/** Reads the settings; throws `ConfigError` naming each variable at fault. */
export function readSettings(env: NodeJS.ProcessEnv): ObjectSettings {
  const given = readConfig(Environment, env);
  return {
    ...volumeServiceSettings(PREFIX, given),
    healthHost: given.BRICKYARD_HEALTH_HOST,
    healthPort: given.BRICKYARD_HEALTH_PORT,
    credentials: credentialsFrom(given),
    region: given.BRICKYARD_OBJECTS_REGION,
    domain: given.BRICKYARD_OBJECTS_DOMAIN?.toLowerCase(),
    sweepEveryMs: given.BRICKYARD_OBJECTS_SWEEP_SECONDS * 1_000,
    graceMs: given.BRICKYARD_OBJECTS_GRACE_SECONDS * 1_000,
  };
}

/** There is no key that everybody knows: without one of his own nobody gets in, so the gateway does not start. */
function credentialsFrom(given: z.infer<typeof Environment>): readonly Credential[] {
  const own = pairOf(
    PREFIX,
    ['_ACCESS_KEY', given.BRICKYARD_OBJECTS_ACCESS_KEY],
    ['_SECRET_KEY', given.BRICKYARD_OBJECTS_SECRET_KEY],
  );
  const all: readonly Credential[] =
    own === undefined ? [] : [{ accessKey: own[0], secretKey: own[1], buckets: ['*'], access: 'write' }];
  const listed = given.BRICKYARD_OBJECTS_KEYS === undefined ? [] : readKeysFile(given.BRICKYARD_OBJECTS_KEYS);
  if (all.length + listed.length > 0) return [...all, ...listed];
  throw new ConfigError(['BRICKYARD_OBJECTS_ACCESS_KEY and _SECRET_KEY, or _KEYS: nobody could get in without them']);
}
