/** Builds one gateway and starts it: it listens at once and says 503 until it has a state to answer from. */
import { HostLook } from './adoption/host-look';
import 'reflect-metadata';
import { type LedgerReader, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import {
  type Check,
  connectBus,
  createMetrics,
  describeError,
  type HealthServer,
  type Logger,
  type Metrics,
  startHealthServer,
} from '@brickyard/service-host';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import { ApiGatewayModule, type GatewayParts } from './api-gateway.module';
import { AgentWatch } from './audit/agent-watch';
import { EventStreams } from './audit/events/event-streams';
import { BusLink } from './bus-link';
import { CommandBus } from './command-bus';
import { readConsoleFiles } from './console/console-files';
import { serveConsole } from './console/serve-console';
import { commandClient } from './command-client';
import type { GatewaySettings } from './config/gateway.settings';
import { CommandSender } from './heketi/command-sender';
import { HostFacts } from './audit/host-facts';
import { ModeSetter } from './heketi/server/mode-setter';
import { InFlightLimit } from './heketi/in-flight';
import { NodeProbe } from './heketi/node-probe';
import { Refusals } from './heketi/refusals';
import { tokenKeys } from './heketi/token';
import { holdChanges } from './heketi/held-change';
import { tellPosition } from './http/position-header';
import { countRequests } from './http/request-metrics';
import { secureHeaders } from './http/security-headers';
import { httpAdapter } from './http/server';
import { type AdminMode, LEADER_READY } from '@brickyard/contracts';
import { nestLogger } from './nest-logger';
import { ClusterStateReader } from './state/cluster-state.reader';
import { CONTROL_LEDGER } from './state/folding';

/** A gateway that listens. */
export interface RunningGateway {
  /** Where clients reach it. */
  readonly url: string;
  readonly healthPort: number;
  /** Opens the API again, whatever its admin mode is. */
  resetMode(): Promise<void>;
  /** What has to be done to end it, in this order. */
  readonly steps: readonly { readonly name: string; readonly run: () => Promise<void> }[];
  /** Does all of it. */
  stop(): Promise<void>;
}

/** Starts a gateway; resolves when it listens, whether or not Postgres and NATS are there. */
export async function startGateway(settings: GatewaySettings, log: Logger): Promise<RunningGateway> {
  const ledger = openLedgerReader({ url: settings.postgresUrl, ledger: CONTROL_LEDGER });
  const reader = new ClusterStateReader({ ledger, log });
  const link = new BusLink();
  const agents = new AgentWatch();
  const facts = new HostFacts();
  const look = new HostLook();
  const bus = new CommandBus(commandClient(settings.nats), undefined, () => reader.obstacle);
  const limit = new InFlightLimit(reader, settings.inFlightMax);
  const refusals = new Refusals();
  const commands = new CommandSender({ bus, reader, ledger, limit, log, refusals });
  const probe = new NodeProbe(link);
  const streams = streamsOf(reader, ledger, log);
  const metrics = gatewayMetrics(reader, bus);
  const modes = new ModeSetter(bus, log);
  const parts = { settings, log, ledger, reader, commands, probe, agents, facts, look, metrics, streams, refusals };
  const app = await createApp(parts, metrics);
  await app.listen(settings.http.port, settings.http.host);
  reader.start();
  void joinBus(settings, log, { link, reader, agents, facts, look, commands: bus });
  if (settings.defaultMode !== undefined) void modes.set(settings.defaultMode, 'configuration');
  const phase = { isStopping: false };
  const health = await startHealth(settings, { reader, metrics, phase });
  const steps = [
    { name: 'readiness', run: () => Promise.resolve().then(() => void (phase.isStopping = true)) },
    { name: 'held answers', run: () => reader.holdNoMore() },
    { name: 'event streams', run: () => streams.close() },
    { name: 'http', run: () => app.close() },
    { name: 'admin mode', run: () => modes.close() },
    { name: 'commands', run: () => bus.close() },
    { name: 'agents', run: () => agents.close() },
    { name: 'facts', run: () => facts.close() },
    { name: 'state', run: () => reader.close() },
    { name: 'bus', run: () => link.drain() },
    { name: 'postgres', run: () => ledger.close() },
    { name: 'health', run: () => health.close() },
  ];
  const resetMode = (): Promise<void> => modes.set('normal', 'SIGUSR2');
  return { url: urlOf(app, settings), healthPort: health.port, resetMode, steps, stop: () => runAll(steps) };
}

/** Live events for those who follow: what the state has taken in, they are told. */
function streamsOf(reader: ClusterStateReader, ledger: LedgerReader, log: Logger): EventStreams {
  const position = (): number => reader.position;
  const streams = new EventStreams({ ledger, log, position, problem: () => reader.problem });
  reader.listen((events) => {
    streams.offer(events);
  });
  return streams;
}

async function createApp(parts: GatewayParts, metrics: Metrics): Promise<NestFastifyApplication> {
  const { settings, log, reader } = parts;
  const keys = settings.keys === undefined ? undefined : tokenKeys(settings.keys.admin, settings.keys.user);
  const adapter = httpAdapter({
    door: { keys, issuedAtLeewaySeconds: settings.issuedAtLeewaySeconds },
    modeOf: modeReader(reader),
    tls: settings.http.tls,
    requestsPerSecond: settings.http.requestsPerSecond,
    requestLog: settings.http.logRequests ? log : undefined,
  });
  serveConsole(adapter.getInstance(), readConsoleFiles());
  holdChanges(adapter.getInstance(), reader);
  tellPosition(adapter.getInstance(), reader);
  secureHeaders(adapter.getInstance(), settings.http.tls !== undefined);
  countRequests(adapter.getInstance(), metrics);
  const options: NestApplicationOptions = { bodyParser: false, abortOnError: false, logger: nestLogger(log) };
  return NestFactory.create<NestFastifyApplication>(ApiGatewayModule.around(parts), adapter, options);
}

/** At once when the state is at hand, as it nearly always is. */
const modeReader = (reader: ClusterStateReader) => (): AdminMode | Promise<AdminMode> =>
  reader.isReadable ? reader.current().state.adminMode : reader.latest().then(({ state }) => state.adminMode);

interface BusUsers {
  readonly link: BusLink;
  readonly reader: ClusterStateReader;
  readonly agents: AgentWatch;
  readonly facts: HostFacts;
  readonly look: HostLook;
  readonly commands: CommandBus;
}

/** Connecting takes as long as NATS is away; until then the state comes from Postgres alone. */
async function joinBus(settings: GatewaySettings, log: Logger, users: BusUsers): Promise<void> {
  const { link, reader, agents, facts, look, commands } = users;
  try {
    const bus = await connectBus({ ...settings.nats, name: 'api-gateway', log });
    if (!link.join(bus)) return;
    reader.follow(bus);
    agents.listen(bus);
    facts.listen(bus);
    look.join(bus);
    bus.subscribe(LEADER_READY, () => {
      commands.askAgain();
    });
  } catch (error) {
    log.fatal({ reason: describeError(error) }, 'NATS cannot be used as configured');
  }
}

interface HealthFacts {
  readonly reader: ClusterStateReader;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly phase: { readonly isStopping: boolean };
}

function startHealth(settings: GatewaySettings, { reader, metrics, phase }: HealthFacts): Promise<HealthServer> {
  return startHealthServer({
    host: settings.health.host,
    port: settings.health.port,
    metrics,
    ready: () => Promise.resolve({ state: stateCheck(reader), stopping: { ok: !phase.isStopping } }),
  });
}

function stateCheck({ problem, position }: ClusterStateReader): Check {
  return problem === undefined
    ? { ok: true, detail: `at position ${String(position)}` }
    : { ok: false, detail: problem };
}

/** Read when somebody scrapes: nothing is counted on the way of a request. */
function gatewayMetrics(reader: ClusterStateReader, bus: CommandBus): Metrics {
  const metrics = createMetrics('api-gateway');
  const position = metrics.gauge({ name: 'brickyard_state_position', help: 'Position of the log that answers are of' });
  const waiting = metrics.gauge({ name: 'brickyard_commands_waiting', help: 'Commands sent and not answered yet' });
  const text = (): Promise<string> => {
    position.set(reader.position);
    waiting.set(bus.waiting);
    return metrics.text();
  };
  return { ...metrics, text };
}

function urlOf(app: NestFastifyApplication, { http }: GatewaySettings): string {
  const { address, family, port } = app.getHttpServer().address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return `${http.tls === undefined ? 'http' : 'https'}://${host}:${String(port)}`;
}

async function runAll(steps: RunningGateway['steps']): Promise<void> {
  for (const { run } of steps) await run();
}
