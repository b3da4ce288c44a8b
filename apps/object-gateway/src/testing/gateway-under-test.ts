/** An object gateway for a spec: its own folder, over real HTTP; several replicas when wanted. */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@brickyard/service-host';
import { createByteServer } from '@brickyard/volume-storage';
import { type Credential, Credentials } from '../auth/credentials';
import { createHandler } from '../http/handler';
import { ObjectStore } from '../store/object-store';
import { KEYS, s3, type S3Answer, type S3Call } from './s3-client';

const log = createLogger({ service: 'spec', level: process.env['SPEC_LOG'] ?? 'silent' });

export interface GatewayUnderTest {
  readonly folder: string;
  readonly store: ObjectStore;
  readonly url: string;
  call(method: string, path: string, call?: S3Call): Promise<S3Answer>;
  /** Another gateway over the same folder. */
  another(): Promise<GatewayUnderTest>;
  /** Names of all files below the folder, the marker of the volume left out. */
  files(): readonly string[];
  stop(): Promise<void>;
}

export async function gatewayUnderTest(
  credentials: readonly Credential[] = [],
  folder = mkdtempSync(join(tmpdir(), 'brickyard-objects-')),
  keepAliveMs = 10_000,
): Promise<GatewayUnderTest> {
  const store = await ObjectStore.open(folder, 'spec');
  const own: Credential = { ...KEYS, buckets: ['*'], access: 'write' };
  const handle = createHandler({
    gateway: { store: () => store, region: 'us-east-1', log, now: () => Date.now(), keepAliveMs },
    credentials: new Credentials([own, ...credentials]),
    domain: 'objects.example',
    watcher: { begun: () => undefined, ended: () => undefined },
    whyClosed: () => undefined,
  });
  const server = createByteServer(undefined, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const others: GatewayUnderTest[] = [];
  return {
    folder,
    store,
    url,
    call: (method, path, call) => s3(url, method, path, call),
    another: async () => {
      const other = await gatewayUnderTest(credentials, folder);
      others.push(other);
      return other;
    },
    files: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== 'volume.json')
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + '/brickyard-objects/'.length))
        .sort(),
    stop: async () => {
      for (const other of others) await other.stop();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await store.settle();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
