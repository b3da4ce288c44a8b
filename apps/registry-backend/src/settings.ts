import { hostname } from 'node:os';
import { readConfig } from '@brickyard/service-host';
import { z } from 'zod';

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
  LOG_LEVEL: z.string().default('info'),
});

/** How this registry finds the API and where it keeps its volume. */
export interface RegistrySettings {
  readonly api: { readonly url: string; readonly key: string | undefined } | undefined;
  readonly host: string;
  readonly port: number;
  readonly instance: string;
  readonly volume: { readonly name: string; readonly sizeGib: number };
  readonly stateFile: string;
  readonly mountDirectory: string | undefined;
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
    logLevel: given.LOG_LEVEL,
    machine: hostname(),
  };
}
