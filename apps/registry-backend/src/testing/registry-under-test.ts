/** A registry for a spec: its own database, its own folder, over real HTTP; several replicas when wanted. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import { type Bus, connectBus, createLogger, createMetrics, type Logger } from '@brickyard/service-host';
import type { Guard } from '../auth/guard';
import { ContentStore } from '../bytes/content-store';
import { ConfigFile } from '../config-file';
import { RegistryFacts } from '../facts/registry-facts';
import { REGISTRY_LEDGER } from '../facts/registry-writer';
import { PastFacts } from '../history/past-facts';
import type { ProtocolSettings } from '../registry';
import { type OpenRegistry, openRegistry } from '../open-registry';

export interface ReplicaOptions {
  readonly config?: unknown;
  readonly settings?: Partial<ProtocolSettings>;
  readonly guard?: Guard;
  readonly graceMs?: number;
  readonly snapshotEvents?: number;
  readonly log?: Logger;
  readonly port?: number;
}

/** One replica, listening. */
export interface Replica {
  readonly url: string;
  readonly facts: RegistryFacts;
  readonly store: ContentStore;
  readonly open: OpenRegistry;
  readonly bus: Bus;
  stop(): Promise<void>;
}

const log: Logger = createLogger({ service: 'spec', level: process.env['SPEC_LOG'] ?? 'silent' });

/** A database and a folder; replicas share both. */
export class RegistryUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), 'brickyard-registry-'));
  readonly replicas: Replica[] = [];

  private constructor(readonly pgUrl: string) {}

  static async start(options: ReplicaOptions = {}): Promise<RegistryUnderTest> {
    const pgUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '', 'registry');
    await migrate(pgUrl);
    const under = new RegistryUnderTest(pgUrl);
    await under.addReplica(options);
    return under;
  }

  get url(): string {
    return this.replica(0).url;
  }

  replica(index: number): Replica {
    const replica = this.replicas[index];
    if (replica === undefined) throw new Error(`no replica ${String(index)}`);
    return replica;
  }

  async addReplica(options: ReplicaOptions = {}): Promise<Replica> {
    // Each test has subjects of its own on the shared server.
    const bus = prefixed(
      await connectBus({ url: process.env['BRICKYARD_TEST_NATS_URL'] ?? '', name: 'spec', log }),
      new URL(this.pgUrl).pathname.slice(1),
    );
    const reader = openLedgerReader({ url: this.pgUrl, ledger: REGISTRY_LEDGER, role: 'writer' });
    const facts = new RegistryFacts({
      ...{ pgUrl: this.pgUrl, reader, bus, log: options.log ?? log, replica: randomUUID() },
      snapshotEvents: options.snapshotEvents ?? 1_000_000,
    });
    const store = await ContentStore.open(this.folder, 'spec');
    await facts.start();
    const open = openRegistry({
      replica: randomUUID(),
      facts,
      past: new PastFacts(facts, reader, log),
      store: () => store,
      config: ConfigFile.parse(options.config ?? {}),
      settings: {
        manifestBytesMax: 8 * 1024 * 1024,
        isDeleteEnabled: true,
        catalogPage: { usual: 100, max: 1_000 },
        ...options.settings,
      },
      log,
      metrics: createMetrics('spec'),
      accessLog: 'none',
      graceMs: options.graceMs ?? 3_600_000,
      suspect: () => undefined,
      ...(options.guard === undefined ? {} : { guard: options.guard }),
    });
    const server = createServer(open.handle);
    server.on('checkContinue', (request, response) => {
      open.handle(request, response, true);
    });
    const url = await listening(server, options.port);
    const replica: Replica = {
      url,
      facts,
      store,
      open,
      bus,
      stop: async () => {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
        await open.registry.upstreams.close();
        await open.registry.uploads.close();
        await facts.stop();
        await reader.close();
        await bus.drain();
        this.replicas.splice(this.replicas.indexOf(replica), 1);
      },
    };
    this.replicas.push(replica);
    return replica;
  }

  /** Waits until one of the replicas leads. */
  async leader(): Promise<Replica> {
    for (;;) {
      const leader = this.replicas.find(({ facts }) => facts.isLeader);
      if (leader !== undefined) return leader;
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async stop(): Promise<void> {
    for (const replica of [...this.replicas]) await replica.stop();
    await dropDatabase(this.pgUrl);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function listening(server: Server, port = 0): Promise<string> {
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** The bus with all subjects below a prefix. */
function prefixed(bus: Bus, prefix: string): Bus {
  const own = (subject: string): string => `${prefix}.${subject}`;
  return new Proxy(bus, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      const hasSubject = key === 'publish' || key === 'subscribe' || key === 'request' || key === 'respond';
      return hasSubject ? (subject: string, ...rest: unknown[]) => method(own(subject), ...rest) : method;
    },
  });
}
