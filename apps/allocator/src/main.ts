import '@brickyard/service-host/register';
import 'reflect-metadata';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Transport, type NatsOptions } from '@nestjs/microservices';
import type { INestMicroservice } from '@nestjs/common';
import { ensureSchema, ensureSigningKey, postgresStorage } from '@brickyard/event-sourcing/postgres';
import {
  type Bus,
  chapKeysFrom,
  busSettings,
  connectBus,
  connectionSettings,
  createLogger,
  createMetrics,
  describeError,
  onShutdown,
  readConfig,
  startHealthServer,
  type Logger,
  type Metrics,
  stopTracing,
} from '@brickyard/service-host';
import { type ClusterRefusal, LEADER_READY } from '@brickyard/contracts';
import { AllocatorModule } from './allocator.module';
import type { CheckpointOptions } from './checkpoint.keeper';
import { AllocatorConfig } from './config';
import type { ControlWriter } from './control-writer';
import { LaterRelease } from './later-release';
import { lead, type LeaderOptions, type Leadership } from './leader';
import { followLedger, type LedgerFollower } from './ledger-follower';
import { estateMetrics } from './estate-metrics';
import { writerMetrics } from './writer-metrics';

/** An obstacle goes away when somebody installs another release, which starts this anew, or removes it. */
const LOOK_AGAIN_MS = 5_000;
const LEDGER = 'control';
const RETRY_MAX_MS = 5_000;
/** Tells the supervisor that this is no crash: the lead was lost and a fresh process shall stand by. */
const EXIT_LEAD_LOST = 75;
const LAST_WORD_MS = 250;

/** Tries until it works: Postgres may start later than we do. */
async function eventually<T>(what: string, work: () => Promise<T>, log: Logger): Promise<T> {
  for (let waitMs = 100; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
    try {
      return await work();
    } catch (error) {
      log.warn({ error: describeError(error), waitMs }, `${what}: not yet`);
      await pause(waitMs);
    }
  }
}

function natsOptions(config: AllocatorConfig): NatsOptions {
  const options = { ...connectionSettings(busSettings(config)), name: 'allocator-commands' };
  return { transport: Transport.NATS, options };
}

async function openDoor(
  config: AllocatorConfig,
  writer: ControlWriter,
  log: Logger,
  metrics: Metrics,
): Promise<INestMicroservice> {
  const refusals = metrics.counter({
    name: 'brickyard_refusals_total',
    help: 'Commands refused, by reason',
    labels: ['reason'],
  });
  // Told from the start, as an alert sees no rise of what was not there before.
  refusals.inc({ reason: 'NoSpace' satisfies ClusterRefusal['kind'] }, 0);
  const options = { ...natsOptions(config), logger: false as const, abortOnError: false };
  const door = await NestFactory.createMicroservice(AllocatorModule.leading(writer, log, refusals), options);
  await door.listen();
  return door;
}

/** What exists only while this process leads. */
interface Term {
  leadership?: Leadership;
  door?: INestMicroservice;
}

const roleOf = ({ leadership }: Term): string =>
  leadership === undefined ? 'standby' : `leader, epoch ${String(leadership.writer.epoch)}`;

/** How the log is signed; undefined when no key is configured. */
async function checkpointOptions(config: AllocatorConfig, log: Logger): Promise<CheckpointOptions | undefined> {
  const { BRICKYARD_CHECKPOINT_KEY_FILE: keyFile, BRICKYARD_CHECKPOINT_FILE: file } = config;
  if (keyFile === undefined) {
    if (file !== undefined) log.warn('BRICKYARD_CHECKPOINT_FILE is set, but no key: nothing is signed');
    return undefined;
  }
  await ensureSigningKey(keyFile); // What is wrong with it is told now, and not when the lead is taken.
  return {
    keyFile,
    ...(file === undefined ? {} : { file }),
    everyEvents: config.BRICKYARD_CHECKPOINT_EVENTS,
    everyMs: config.BRICKYARD_CHECKPOINT_SECONDS * 1_000,
  };
}

/** What the log holds beyond this release is told, and no reason to end: the supervisor would only start it again. */
function foldCheck(follower: LedgerFollower, position: number): { readonly ok: boolean; readonly detail: string } {
  const obstacle = follower.obstacle();
  return { ok: obstacle === undefined, detail: obstacle?.message ?? `position ${String(position)}` };
}

/** Leads as soon as this release can fold the whole log, and not before. */
async function leadWhenReadable(options: LeaderOptions): Promise<Leadership> {
  const { follower, log, signal } = options;
  for (;;) {
    await follower.readOn();
    try {
      if (follower.obstacle() === undefined) return await lead(options);
    } catch (error) {
      if (!(error instanceof LaterRelease)) throw error;
      log.warn({ reason: error.message }, 'the lead is given up again');
    }
    await pause(LOOK_AGAIN_MS, undefined, { signal });
  }
}

async function main(): Promise<void> {
  const config = readConfig(AllocatorConfig, process.env);
  const log = createLogger({ service: 'allocator', level: config.BRICKYARD_LOG_LEVEL });
  const checkpoints = await checkpointOptions(config, log);
  const chapKeys = chapKeysFrom(config);
  const metrics = createMetrics('allocator');
  const ending = new AbortController();
  const term: Term = {};
  const bus = await connectBus({ ...busSettings(config), name: 'allocator', log });
  await eventually('migrate the event log', () => ensureSchema(config.BRICKYARD_PG_URL), log);
  const storage = postgresStorage({ url: config.BRICKYARD_PG_URL, ledger: LEDGER });
  const reader = storage.openReader();
  const follower = await eventually('read the event log', () => followLedger(reader, bus, log), log);
  const positionNow = (): number => term.leadership?.writer.position ?? follower.current().position;
  const health = await startHealthServer({
    host: config.BRICKYARD_HEALTH_HOST,
    port: config.BRICKYARD_HEALTH_PORT,
    metrics: estateMetrics(metrics, () => term.leadership?.writer, positionNow),
    ready: () =>
      Promise.resolve({
        bus: { ok: bus.connected },
        fold: foldCheck(follower, positionNow()),
        role: { ok: true, detail: roleOf(term) },
      }),
  });
  onShutdown({
    log,
    deadlineMs: 10_000,
    steps: [
      { name: 'commands', run: async () => term.door?.close() },
      { name: 'lead', run: () => endLead(term, ending) },
      { name: 'log', run: () => reader.close() },
      { name: 'bus', run: () => bus.drain() },
      { name: 'health', run: () => health.close() },
      { name: 'tracing', run: () => stopTracing() },
    ],
  });
  log.info({ position: positionNow(), healthPort: health.port }, 'standing by');
  const leadership = await leadWhenReadable({
    storage,
    reader,
    bus,
    log,
    follower,
    ...(config.BRICKYARD_NATS_REPLICAS === undefined ? {} : { streamReplicas: config.BRICKYARD_NATS_REPLICAS }),
    lostAfterMs: config.BRICKYARD_NODE_LOST_SECONDS * 1_000,
    snapshotEvents: config.BRICKYARD_SNAPSHOT_EVENTS,
    healPolicy: config.BRICKYARD_DRIFT_HEAL,
    ...(chapKeys === undefined ? {} : { chapKeys }),
    metrics,
    ...(checkpoints === undefined ? {} : { checkpoints }),
    signal: ending.signal,
    onBatch: writerMetrics(metrics),
    onLost(error) {
      if (ending.signal.aborted) return;
      log.error({ error: describeError(error) }, 'the lead is lost');
      void endAfterWord(bus);
    },
  }).catch((error: unknown) => {
    if (!ending.signal.aborted) throw error;
  });
  if (leadership === undefined) return; // A standby that was told to stop, which is no failure.
  term.leadership = leadership;
  term.door = await openDoor(config, term.leadership.writer, log, metrics);
  bus.publish(LEADER_READY, { epoch: term.leadership.writer.epoch });
  log.info({ epoch: term.leadership.writer.epoch }, 'taking commands');
}

/** Outcomes that could not be recorded are handed back on the way out, so that the next leader need not wait for them. */
async function endAfterWord(bus: Bus): Promise<never> {
  await nextTurn(); // Their handlers hear of it in this one.
  await Promise.race([bus.drain().catch(() => undefined), pause(LAST_WORD_MS)]);
  process.exit(EXIT_LEAD_LOST);
}

async function endLead({ leadership }: Term, ending: AbortController): Promise<void> {
  await leadership?.stop();
  ending.abort();
}

main().catch((error: unknown) => {
  process.stderr.write(`allocator: ${describeError(error)}\n`);
  process.exit(1);
});
