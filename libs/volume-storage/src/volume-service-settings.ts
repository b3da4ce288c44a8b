/** The settings that every service which stores on a volume has: the same words after a prefix of its own. */
import { hostname } from 'node:os';
import { ConfigError } from '@brickyard/service-host';
import { z } from 'zod';
import type { TlsFiles } from './http-server';
import type { AccessLog } from './request-metrics';

/** What differs between such services: the port they usually listen on, and what they call themselves and their volume. */
export interface VolumeServiceUsual {
  readonly name: string;
  readonly port: number;
}

/** A TCP port from the environment; 0 means a free one. */
export const portVariable = z.coerce.number().int().min(0).max(65_535);

/** A time in whole seconds from the environment; `usual` when it is not set. */
export const secondsVariable = (usual: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce.number().int().min(0).default(usual);

const path = z.string().startsWith('/', 'must be an absolute path').optional();
const gib = z.coerce.number().int().min(1).default(1);

const own = ({ name, port }: VolumeServiceUsual) => ({
  HOST: z.string().default('0.0.0.0').describe('address to listen on'),
  PORT: portVariable.default(port).describe('port to listen on'),
  INSTANCE: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default(name)
    .describe('name that is the same for all replicas and over restarts, and differs between installations'),
  VOLUME: z
    .string()
    .regex(/^[a-zA-Z0-9_-]+$/, 'must be letters, digits, dashes and underscores')
    .default(name)
    .describe('name of the volume'),
  SIZE_GIB: gib.describe('size of the volume, GiB'),
  STATE: z.string().default(`/var/lib/brickyard/${name}.json`).describe('file that remembers the volume over restarts'),
  MOUNT: path.describe('directory to mount the volume on; not set where the storage hosts are simulated'),
  FOLDER: path.describe('folder of this machine to store in where no volume is mounted'),
  TLS_CERT: z.string().optional().describe('certificate chain, PEM'),
  TLS_KEY: z.string().optional().describe('its key, PEM'),
  ACCESS_LOG: z.enum(['all', 'writes', 'none']).default('writes').describe('which requests are told'),
  UPLOAD_SECONDS: secondsVariable(604_800).describe('age at which an unfinished upload is dropped'),
  EXPAND_AT_PERCENT: z.coerce.number().int().min(1).max(99).optional().describe('grow at this fill'),
  EXPAND_BY_GIB: gib.describe('grow by so much'),
  DRAIN_SECONDS: secondsVariable(20).describe('time for running requests when told to stop'),
});

const common = {
  BRICKYARD_API_URL: z.url().optional().describe('address of the API, such as http://gateway:8080'),
  BRICKYARD_API_KEY: z.string().optional().describe("key of the API's user admin"),
  BRICKYARD_LOG_LEVEL: z.string().optional().describe('as for every service'),
  LOG_LEVEL: z.string().optional().describe('the same where BRICKYARD_LOG_LEVEL is not set'),
};

type Own = ReturnType<typeof own>;
type Common = z.output<z.ZodObject<typeof common>>;

/** The variables of one service; the file and key of TLS, for one, are `<prefix>_TLS_CERT` and `<prefix>_TLS_KEY`. */
export type VolumeServiceVariables<Prefix extends string> = typeof common & {
  readonly [Name in keyof Own as `${Prefix}_${Name}`]: Own[Name];
};

/** The variables, for the schema that the service reads its environment with. */
export function volumeServiceVariables<Prefix extends string>(
  prefix: Prefix,
  usual: VolumeServiceUsual,
): VolumeServiceVariables<Prefix> {
  const named = Object.entries(own(usual)).map(([name, variable]) => [`${prefix}_${name}`, variable] as const);
  return { ...common, ...Object.fromEntries(named) } as VolumeServiceVariables<Prefix>;
}

/** How a service finds the API, where it keeps its volume, and where it listens. */
export interface VolumeServiceSettings {
  /** Absent: nothing is claimed. */
  readonly api: { readonly url: string; readonly key: string | undefined } | undefined;
  readonly host: string;
  readonly port: number;
  readonly instance: string;
  readonly volume: { readonly name: string; readonly sizeGib: number };
  readonly stateFile: string;
  readonly mountDirectory: string | undefined;
  readonly localFolder: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly accessLog: AccessLog;
  readonly uploadAgeMs: number;
  /** Absent: the volume never grows by itself. */
  readonly expansion: { readonly usedPercent: number; readonly byGib: number } | undefined;
  readonly drainMs: number;
  readonly logLevel: string;
  /** Name of this machine, for the log. */
  readonly machine: string;
}

/** The settings in variables that were read with `volumeServiceVariables`; throws `ConfigError` for half a pair. */
export function volumeServiceSettings(prefix: string, given: Common): VolumeServiceSettings {
  const named = Object.entries(given).filter(([name]) => name.startsWith(`${prefix}_`));
  const mine = Object.fromEntries(
    named.map(([name, value]): [string, unknown] => [name.slice(prefix.length + 1), value]),
  ) as z.output<z.ZodObject<Own>>;
  const { BRICKYARD_API_URL: url, BRICKYARD_API_KEY: key } = given;
  const certAndKey = pairOf(`${prefix}_TLS`, ['_CERT', mine.TLS_CERT], ['_KEY', mine.TLS_KEY]);
  return {
    api: url === undefined ? undefined : { url, key },
    host: mine.HOST,
    port: mine.PORT,
    instance: mine.INSTANCE,
    volume: { name: mine.VOLUME, sizeGib: mine.SIZE_GIB },
    stateFile: mine.STATE,
    mountDirectory: mine.MOUNT,
    localFolder: mine.FOLDER,
    tls: certAndKey === undefined ? undefined : { certFile: certAndKey[0], keyFile: certAndKey[1] },
    accessLog: mine.ACCESS_LOG,
    uploadAgeMs: mine.UPLOAD_SECONDS * 1_000,
    expansion:
      mine.EXPAND_AT_PERCENT === undefined
        ? undefined
        : { usedPercent: mine.EXPAND_AT_PERCENT, byGib: mine.EXPAND_BY_GIB },
    drainMs: mine.DRAIN_SECONDS * 1_000,
    logLevel: given.BRICKYARD_LOG_LEVEL ?? given.LOG_LEVEL ?? 'info',
    machine: hostname(),
  };
}

/**
 * Two settings of which one alone makes no sense: their names are `stem` with each of the two endings. Throws
 * `ConfigError` when only one is there.
 */
export function pairOf(
  stem: string,
  first: readonly [ending: string, value: string | undefined],
  second: readonly [ending: string, value: string | undefined],
): readonly [string, string] | undefined {
  if (first[1] === undefined && second[1] === undefined) return undefined;
  if (first[1] !== undefined && second[1] !== undefined) return [first[1], second[1]];
  throw new ConfigError([`${stem}${first[0]} and ${second[0]}: both or none of them`]);
}
