/** A real gateway over HTTP with a real nats-server, a real log in Postgres, and the allocator's side of the bus in the spec's hands. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CommandBatch,
  type CommandEnvelope,
  type CommandReply,
  COMMANDS,
  type ControlEvent,
  eventsOf,
  streamOf,
} from '@brickyard/contracts';
import { type LedgerWriter, migrate, openLedgerWriter } from '@brickyard/event-sourcing/postgres';
import { type Bus, connectBus, createLogger, type Subscription } from '@brickyard/service-host';
import { dropDatabase, freshDatabase, type NatsServer, startNats } from '@brickyard/servers';
import { readSettings } from '../config/gateway.settings';
import { CuttableProxy } from './cuttable-proxy';
import { type RunningGateway, startGateway } from '../start-gateway';

type Writer = LedgerWriter<number, readonly ControlEvent[], Record<string, never>>;
type Answer = (envelope: CommandEnvelope, index: number) => CommandReply | Promise<CommandReply>;

/** Everything around one gateway. */
export class GatewayUnderTest {
  readonly #subscriptions: Subscription[] = [];

  private constructor(
    private nats: NatsServer,
    readonly bus: Bus,
    readonly databaseUrl: string,
    readonly postgres: CuttableProxy,
    readonly natsWay: CuttableProxy,
    readonly gateway: RunningGateway,
    private readonly writer: Writer,
    private readonly announcing: { isOn: boolean },
    private readonly folder: string,
  ) {}

  static async start(env: NodeJS.ProcessEnv = {}, { isCutOff = false } = {}): Promise<GatewayUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'brickyard-gateway-'));
    const nats = await startNats({ storeDir: folder });
    const databaseUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '');
    await migrate(databaseUrl);
    const log = createLogger({ service: 'spec', level: 'silent' });
    const bus = await connectBus({ url: nats.url, name: 'spec', log });
    const announcing = { isOn: true };
    const writer = await openWriter(databaseUrl, bus, announcing);
    const postgres = await proxyTo(databaseUrl);
    const natsWay = await proxyTo(nats.url);
    if (isCutOff) for (const way of [postgres, natsWay]) way.cut();
    const settings = readSettings({
      BRICKYARD_HTTP_PORT: '0',
      BRICKYARD_NATS_URL: `nats://127.0.0.1:${String(natsWay.port)}`,
      BRICKYARD_PG_URL: through(postgres, databaseUrl),
      BRICKYARD_DISABLE_AUTH: '1',
      BRICKYARD_LOG_LEVEL: 'silent',
      ...env,
    });
    const gateway = await startGateway(settings, log);
    return new GatewayUnderTest(nats, bus, databaseUrl, postgres, natsWay, gateway, writer, announcing, folder);
  }

  get natsUrl(): string {
    return this.nats.url;
  }

  /** Appends facts as the allocator would; resolves with the position of the last one. */
  record(...events: readonly ControlEvent[]): Promise<number> {
    return this.recordFor('spec', ...events);
  }

  /** The same, on behalf of a request. */
  async recordFor(correlationId: string, ...events: readonly ControlEvent[]): Promise<number> {
    const metadata = { correlationId, actor: { name: 'spec' } };
    return (await this.writer.submit({ command: events, metadata })).position;
  }

  /** As `record`, but nobody hears of it. */
  async recordSilently(...events: readonly ControlEvent[]): Promise<number> {
    this.announcing.isOn = false;
    const position = await this.record(...events);
    this.announcing.isOn = true;
    return position;
  }

  /** Answers commands from now on. */
  answerCommands(answer: Answer): Subscription {
    const subscription = this.bus.respond(COMMANDS, async (payload) => {
      const { data, id } = payload as { readonly data: CommandBatch; readonly id: string };
      const replies = await Promise.all(data.commands.map(async (envelope, index) => answer(envelope, index)));
      return { id, response: { replies }, isDisposed: true };
    });
    this.#subscriptions.push(subscription);
    return subscription;
  }

  /** Ends nats-server as a crash would. */
  killNats(): void {
    this.nats.kill();
  }

  /** Starts nats-server again where it was. */
  async restartNats(): Promise<void> {
    this.nats = await startNats({ storeDir: this.folder, port: this.nats.port });
  }

  /** What the orchestrator is told. */
  async isReady(): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${String(this.gateway.healthPort)}/health/ready`);
    await response.arrayBuffer();
    return response.ok;
  }

  /** One request; redirects are not followed. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.gateway.url}${path}`, { redirect: 'manual', ...init });
  }

  async stop(): Promise<void> {
    this.postgres.mend();
    await this.gateway.stop();
    await this.postgres.close();
    await this.natsWay.close();
    for (const subscription of this.#subscriptions) await subscription.close();
    await this.writer.close();
    await this.bus.drain();
    await this.nats.stop();
    await dropDatabase(this.databaseUrl);
    await rm(this.folder, { recursive: true, force: true });
  }
}

function proxyTo(url: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(url);
  return CuttableProxy.to({ host: hostname, port: Number(port) });
}

function through(proxy: CuttableProxy, databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  return url.href;
}

/** The log's own writer, with nothing to decide: what it is given, it appends and announces. */
function openWriter(url: string, bus: Bus, announcing: { readonly isOn: boolean }): Promise<Writer> {
  return openLedgerWriter<number, readonly ControlEvent[], Record<string, never>>({
    url,
    ledger: 'control',
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (events) => ({ events: events.map(stored), reply: {} }),
    evolve: (count) => count + 1,
    onCommitted: (events) => {
      if (announcing.isOn) bus.publish(eventsOf('control'), { events });
    },
    onLost: () => undefined,
  });
}

function stored(event: ControlEvent): { streamId: string; type: string; version: number; data: never } {
  const { type, version, ...data } = event;
  return { streamId: streamOf(event), type, version, data: data as never };
}
