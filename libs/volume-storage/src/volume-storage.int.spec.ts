import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type ApiClient, createApiClient, createLogger } from '@brickyard/service-host';
import type { ClaimRecord } from './claim-record';
import { VolumeStorage, type StorageReport } from './volume-storage';

const log = createLogger({ service: 'test', level: 'silent' });
const VOLUME = {
  id: 'a1',
  name: 'registry',
  size: 2,
  mount: { glusterfs: { hosts: ['10.0.0.2'], device: '10.0.0.2:registry', options: {} } },
};

/** Volumes behind heketi's protocol; refusals laid out beforehand are given first. */
class VolumeServer {
  readonly volumes = new Map<string, unknown>();
  readonly refusals: { status: number; text: string }[] = [];
  readonly failures: string[] = [];
  readonly keys: unknown[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** Resolves at the first request after which the condition holds. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        this.#listeners.delete(check);
        resolve();
      };
      this.#listeners.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.once('close', () => {
      for (const listener of this.#listeners) listener();
    });
    const { method, url = '' } = request;
    const id = url.split('/')[2] ?? '';
    if (method === 'POST') await this.#create(request, response);
    else if (url.startsWith('/queue/')) this.#tellQueue(response);
    else if (id === '') this.#send(response, { volumes: [...this.volumes.keys()] });
    else if (this.volumes.has(id)) this.#send(response, this.volumes.get(id));
    else response.writeHead(404).end('Id not found\n');
  }

  async #create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { name, size } = (await json(request)) as { name: string; size: number };
    this.keys.push(request.headers['idempotency-key']);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { 'retry-after': '0' }).end(refusal.text);
      return;
    }
    if (this.failures.length === 0) this.volumes.set(VOLUME.id, { ...VOLUME, name, size });
    response.writeHead(202, { location: '/queue/q' }).end();
  }

  #tellQueue(response: ServerResponse): void {
    const failure = this.failures.shift();
    if (failure === undefined) response.writeHead(303, { location: `/volumes/${VOLUME.id}` }).end();
    else response.writeHead(500).end(failure);
  }

  #send(response: ServerResponse, body: unknown): void {
    response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' }).end(`${JSON.stringify(body)}\n`);
  }
}

interface Probed {
  probe(): Promise<void>;
}
const stored = { what: 'bytes', open: () => Promise.resolve({ probe: () => Promise.resolve() }) };

let folder: string;
let server: VolumeServer;
let api: ApiClient;
const running: VolumeStorage<Probed>[] = [];

function begin(mountDirectory?: string): VolumeStorage<Probed> {
  const wish = {
    kind: 'registry' as const,
    instance: 'one',
    name: 'registry',
    sizeGib: 2,
    stateFile: join(folder, 'deep/state.json'),
  };
  const storage = new VolumeStorage<Probed>({ ...stored, api, wish, mountDirectory, log });
  running.push(storage);
  storage.start();
  return storage;
}

async function untilReport(
  storage: VolumeStorage<Probed>,
  holds: (report: StorageReport) => boolean,
): Promise<StorageReport> {
  for (;;) {
    const report = await storage.report();
    if (holds(report)) return report;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const record = (): ClaimRecord => JSON.parse(readFileSync(join(folder, 'deep/state.json'), 'utf8')) as ClaimRecord;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'brickyard-registry-'));
  server = new VolumeServer();
  api = createApiClient({ url: await server.listen(), user: 'admin', key: 'k', pollMs: 5 });
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((storage) => storage.stop()));
  api.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('VolumeStorage', () => {
  it('claims its volume once and finds it again by its id after a restart', async () => {
    const first = begin();
    const report = await untilReport(first, ({ status }) => status === 'ready');
    expect(report).toMatchObject({
      volume: { id: 'a1', name: 'registry', sizeGib: 2 },
      mount: { state: 'not configured' },
      detail: expect.stringContaining('simulated') as string,
    });
    await first.stop();
    expect(record()).toEqual({ version: 1, attempt: 0, volumeId: 'a1' });
    await untilReport(begin(), ({ status }) => status === 'ready');
    expect(server.keys).toHaveLength(1);
  });

  it('finds a volume of its name when it has lost its record', async () => {
    server.volumes.set('b2', { ...VOLUME, id: 'b2', name: 'another' });
    server.volumes.set('c3', { ...VOLUME, id: 'c3' });
    const report = await untilReport(begin(), ({ status }) => status === 'ready');
    expect([report.volume?.id, server.keys]).toEqual(['c3', []]);
  });

  it('waits while the API is busy, with the same key', async () => {
    server.refusals.push({ status: 503, text: 'no leader\n' }, { status: 429, text: 'Server busy\n' });
    await untilReport(begin(), ({ status }) => status === 'ready');
    expect(server.keys).toHaveLength(3);
    expect(new Set(server.keys).size).toBe(1);
  }, 20_000);

  it('asks anew, with another key, after a refusal and after a failed operation; and says why it waits', async () => {
    server.refusals.push({ status: 400, text: 'No clusters configured\n' });
    server.failures.push('brick of n1 could not be made\n');
    const storage = begin();
    const waiting = await untilReport(storage, ({ detail }) => detail === 'No clusters configured');
    expect(waiting.status).toBe('not ready');
    await untilReport(storage, ({ detail }) => detail === 'brick of n1 could not be made');
    await untilReport(storage, ({ status }) => status === 'ready');
    expect(new Set(server.keys).size).toBe(3);
    await storage.stop();
    expect(record()).toEqual({ version: 1, attempt: 2, volumeId: 'a1' });
  }, 20_000);

  it('claims another volume, with another key, when its own was deleted', async () => {
    const first = begin();
    await untilReport(first, ({ status }) => status === 'ready');
    await first.stop();
    server.volumes.clear();
    await untilReport(begin(), ({ status }) => status === 'ready');
    expect(new Set(server.keys).size).toBe(2);
  });

  it('does not overwrite a record that it does not understand', async () => {
    const file = join(folder, 'state.json');
    writeFileSync(file, '{"version":2}');
    const wish = { kind: 'registry' as const, instance: 'one', name: 'registry', sizeGib: 2, stateFile: file };
    const storage = new VolumeStorage<Probed>({ ...stored, api, wish, mountDirectory: undefined, log });
    storage.start();
    const report = await untilReport(storage, ({ detail }) => detail?.includes('version') ?? false);
    expect([report.status, readFileSync(file, 'utf8'), server.keys]).toEqual(['not ready', '{"version":2}', []]);
    await expect(storage.stop()).rejects.toThrow(/version/);
  });

  it('is not ready while its directory carries something else, and leaves that alone', async () => {
    const storage = begin('/proc');
    const report = await untilReport(storage, ({ detail }) => detail?.startsWith('/proc carries proc') ?? false);
    expect(report).toMatchObject({ status: 'not ready', volume: { id: 'a1' }, mount: { state: 'not mounted' } });
    await storage.stop();
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toMatch(/ \/proc /);
  });
});
