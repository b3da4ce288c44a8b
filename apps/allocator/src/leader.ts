/** One term of leadership: from winning the lock to losing it. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import {
  createSnapshotKeeper,
  openLedgerWriterOn,
  type BatchReport,
  type LedgerReader,
  type LedgerStorage,
  type Relay,
} from '@brickyard/event-sourcing/postgres';
import { FOLD_VERSION, snapshotParts, type ControlState } from '@brickyard/domain';
import { describeError, type Bus, type ChapKeys, type Logger, type Metrics } from '@brickyard/service-host';
import { startCheckpointKeeper, type CheckpointKeeper, type CheckpointOptions } from './checkpoint.keeper';
import { decideForLog, evolveForLog, type ControlWriter } from './control-writer';
import { eventsStream, startEventRelay } from './event.relay';
import type { HealPolicy } from './drift.healer';
import { watchDrift } from './drift.watcher';
import type { LedgerFollower } from './ledger-follower';
import { watchNodes } from './node-liveness';
import { createProcessManager, outcomesStream } from './operation.process-manager';
import { tellOperations } from './operation.log';
import { watchRestore } from './restore.watcher';
import { answerTaskQuestions, chapSecretOf, createTaskRelay, tasksStream } from './task.relay';

/** Older snapshots serve looks into the past: a million events by 10,000 at a time. */
const SNAPSHOTS_KEPT = 100;

export interface LeaderOptions {
  readonly storage: LedgerStorage;
  readonly reader: LedgerReader;
  readonly bus: Bus;
  readonly log: Logger;
  readonly follower: LedgerFollower;
  /** Servers of a NATS cluster that keep a copy of each stream; absent: as they are. */
  readonly streamReplicas?: number;
  readonly lostAfterMs: number;
  readonly snapshotEvents: number;
  /** Which differences between log and hosts are settled without a human. */
  readonly healPolicy: HealPolicy;
  readonly metrics?: Metrics;
  /** Absent: block volumes that ask for a secret cannot be offered. */
  readonly chapKeys?: ChapKeys;
  /** Absent: the log is not signed. */
  readonly checkpoints?: CheckpointOptions;
  readonly signal: AbortSignal;
  readonly onBatch?: (report: BatchReport) => void;
  /** Called once when the lead is lost; this process has then nothing true to say any more. */
  readonly onLost: (error: Error) => void;
}

export interface Leadership {
  readonly writer: ControlWriter;
  /** Finishes what waits, then gives the lead up. */
  stop(): Promise<void>;
}

/** Work that must be begun again whenever the bus comes back: streams may be gone with it. */
async function ensureStreams({ bus, streamReplicas: replicas }: LeaderOptions): Promise<void> {
  const copies = replicas === undefined ? {} : { replicas };
  for (const stream of [tasksStream, outcomesStream, eventsStream]) await bus.ensureStream({ ...stream, ...copies });
}

/** Waits for the lead, then runs everything that only the leader may. Resolves when commands can be taken. */
export async function lead(options: LeaderOptions): Promise<Leadership> {
  const { bus, log, reader, follower } = options;
  const hooks: { committed(events: readonly StoredEvent[], state: ControlState): void } = {
    committed: () => undefined,
  };
  const writer = await openWriter(options, (events, state) => {
    hooks.committed(events, state);
  });
  await follower.stop();
  log.info({ epoch: writer.epoch, position: writer.position }, 'leading');

  const processes: { of(host: string): string } = { of: (host) => host };
  const tasks = createTaskRelay({
    bus,
    log,
    epoch: writer.epoch,
    processOf: (host) => processes.of(host),
    secretOf: (task) => chapSecretOf(task, options.chapKeys),
  });
  const manager = createProcessManager(() => writer, bus, log);
  const keeper = createSnapshotKeeper<ControlState>({
    reader,
    foldVersion: FOLD_VERSION,
    encode: snapshotParts,
    everyEvents: options.snapshotEvents,
    from: writer.position,
    kept: SNAPSHOTS_KEPT,
    onSaved: (saved) => {
      log.info(saved, 'snapshot saved');
    },
    onTrouble: (position, error) => {
      log.warn({ position, error: describeError(error) }, 'snapshot not saved; the next one will do');
    },
  });
  const checkpoints = await startCheckpoints(options);
  const relay = await startEventRelay(reader, bus, log);
  const drift = watchDrift({
    bus,
    log,
    state: () => writer.state,
    policy: options.healPolicy,
    submit: manager.submit,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
  });
  const restore = watchRestore({
    log,
    state: () => writer.state,
    standing: () => drift.standing(),
    submit: manager.submit,
  });
  hooks.committed = (events, state) => {
    tellOperations(log, events);
    relay.offer(events);
    tasks.offer(events, state);
    manager.offer(events);
    drift.offer(events);
    if (events.some(({ type }) => type === 'LogReleased')) goOn();
    const last = events.at(-1);
    if (last === undefined) return;
    keeper.offer(last, state);
    checkpoints?.offer(last);
  };
  const begin = async (): Promise<void> => {
    await ensureStreams(options);
    relay.retryNow();
    drift.askAll();
    if (writer.state.hold !== undefined) return; // Put back from a backup: hosts are looked at, and asked for nothing.
    await manager.consumeOutcomes();
    tasks.sendRunning(writer.state);
  };
  const goOn = (): void => {
    manager.resume(writer.state);
    begin().catch((error: unknown) => {
      log.warn({ error: describeError(error) }, 'hosts are asked once the bus is back');
    });
  };
  const beginAgain = bus.onConnected(() => {
    begin().catch((error: unknown) => {
      log.warn({ error: describeError(error) }, 'the bus came back and went away again');
    });
  });
  await begin();
  if (writer.state.hold === undefined) manager.resume(writer.state);
  const questions = answerTaskQuestions(bus, writer);
  const liveness = watchNodes({
    bus,
    state: () => writer.state,
    lostAfterMs: options.lostAfterMs,
    submit: manager.submit,
    onRestarted: (host) => {
      tasks.sendRunning(writer.state, host);
    },
  });
  processes.of = liveness.processOf;
  return {
    writer,
    stop: () =>
      stopAll({ writer, relay, checkpoints }, [
        beginAgain,
        () => {
          manager.stop();
          tasks.stop();
        },
        () => liveness.stop(),
        () => {
          restore.stop();
        },
        () => drift.stop(),
        () => questions.close(),
        () => keeper.idle(),
      ]),
  };
}

interface Running {
  readonly writer: ControlWriter;
  readonly relay: Relay;
  readonly checkpoints: CheckpointKeeper | undefined;
}

async function stopAll(
  { writer, relay, checkpoints }: Running,
  parts: readonly (() => void | Promise<void>)[],
): Promise<void> {
  for (const stop of parts) await stop();
  await writer.close();
  await checkpoints?.close(); // After the last commit, so that it is signed for.
  await relay.close();
}

async function startCheckpoints({
  storage,
  reader,
  log,
  checkpoints,
}: LeaderOptions): Promise<CheckpointKeeper | undefined> {
  if (checkpoints === undefined) return undefined;
  return startCheckpointKeeper(checkpoints, { reader, table: storage.openCheckpointTable(), log });
}

function openWriter(
  { storage, follower, signal, onLost, onBatch }: LeaderOptions,
  onCommitted: (events: readonly StoredEvent[], state: ControlState) => void,
): Promise<ControlWriter> {
  return openLedgerWriterOn(storage, {
    ledger: storage.ledger,
    restore: () => Promise.resolve(follower.current()),
    decide: decideForLog,
    evolve: evolveForLog,
    onCommitted,
    onLost,
    ...(onBatch === undefined ? {} : { onBatch }),
    signal,
  });
}
