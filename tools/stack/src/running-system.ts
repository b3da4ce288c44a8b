/** What a tool needs to use a system that runs: read from its data directory. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiClient, createApiClient } from '@brickyard/service-host';
import { z } from 'zod';
import { type HostsKind } from './options';

const Env = z.object({
  HEKETI_CLI_SERVER: z.string(),
  HEKETI_CLI_KEY: z.string(),
  HEKETI_USER_KEY: z.string(),
  BRICKYARD_HOSTS: z.enum(['real', 'simulated']),
});

/** A system that was started from a data directory. */
export interface RunningSystem {
  readonly apiUrl: string;
  readonly hosts: HostsKind;
  readonly controlSocket: string;
  client(user?: 'admin' | 'user'): ApiClient;
}

/** Reads the directory; throws when no system was started there. */
export function findSystem(dataDir: string): RunningSystem {
  const file = join(dataDir, 'env');
  if (!existsSync(file)) throw new Error(`no system was started with ${dataDir}; start one with npm start`);
  const lines = readFileSync(file, 'utf8').matchAll(/^export ([A-Z_]+)='(.*)'$/gm);
  const env = Env.parse(Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value])));
  return {
    apiUrl: env.HEKETI_CLI_SERVER,
    hosts: env.BRICKYARD_HOSTS,
    controlSocket: join(dataDir, 'control.sock'),
    client: (user = 'admin') =>
      createApiClient({
        url: env.HEKETI_CLI_SERVER,
        user,
        key: user === 'admin' ? env.HEKETI_CLI_KEY : env.HEKETI_USER_KEY,
      }),
  };
}
