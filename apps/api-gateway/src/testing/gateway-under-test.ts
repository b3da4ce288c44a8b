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
import { type RunningGateway, startGateway } from '../start-gateway';

type Writer = LedgerWriter<number, readonly ControlEvent[], Record<string, never>>;
type Answer = (envelope: CommandEnvelope, index: number) => CommandReply | Promise<CommandReply>;

/** Everything around one gateway. */
export class GatewayUnderTest {
  readonly #subscriptions: Subscription[] = [];

  private constructor(
    readonly nats: NatsServer,
    readonly bus: Bus,
    readonly databaseUrl: string,
    readonly gateway: RunningGateway,
    private readonly writer: Writer,
    private readonly folder: string,
  ) {}

  static async start(env: NodeJS.ProcessEnv = {}): Promise<GatewayUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'brickyard-gateway-'));
    const nats = await startNats({ storeDir: folder });
    const databaseUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '');
    await migrate(databaseUrl);
    const log = createLogger({ service: 'spec', level: 'silent' });
    const bus = await connectBus({ url: nats.url, name: 'spec', log });
    const writer = await openWriter(databaseUrl, bus);
    const settings = readSettings({
      BRICKYARD_HTTP_PORT: '0',
      BRICKYARD_NATS_URL: nats.url,
      BRICKYARD_PG_URL: databaseUrl,
      BRICKYARD_DISABLE_AUTH: '1',
      BRICKYARD_LOG_LEVEL: 'silent',
      ...env,
    });
    const gateway = await startGateway(settings, log);
    return new GatewayUnderTest(nats, bus, databaseUrl, gateway, writer, folder);
  }

  /** Appends facts as the allocator would; resolves with the position of the last one. */
  async record(...events: readonly ControlEvent[]): Promise<number> {
    const metadata = { correlationId: 'spec', actor: { name: 'spec' } };
    return (await this.writer.submit({ command: events, metadata })).position;
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

  /** One request; redirects are not followed. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.gateway.url}${path}`, { redirect: 'manual', ...init });
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    for (const subscription of this.#subscriptions) await subscription.close();
    await this.writer.close();
    await this.bus.drain();
    await this.nats.stop();
    await dropDatabase(this.databaseUrl);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The log's own writer, with nothing to decide: what it is given, it appends and announces. */
function openWriter(url: string, bus: Bus): Promise<Writer> {
  return openLedgerWriter<number, readonly ControlEvent[], Record<string, never>>({
    url,
    ledger: 'control',
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (events) => ({ events: events.map(stored), reply: {} }),
    evolve: (count) => count + 1,
    onCommitted: (events) => {
      bus.publish(eventsOf('control'), { events });
    },
    onLost: () => undefined,
  });
}

function stored(event: ControlEvent): { streamId: string; type: string; version: number; data: never } {
  const { type, version, ...data } = event;
  return { streamId: streamOf(event), type, version, data: data as never };
}
