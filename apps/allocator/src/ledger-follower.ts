/** The fold as a standby keeps it: a snapshot, the rest of the log, then every batch that is announced. */
import { CommittedEvents, eventsOf, quick } from '@brickyard/contracts';
import { decodeSnapshot, emptyControlState, FOLD_VERSION, type ControlState } from '@brickyard/domain';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import { describeError, type Bus, type Logger } from '@brickyard/service-host';
import { evolveForLog } from './control-writer';
import { LaterRelease } from './later-release';

const EventsAtDoor = quick(CommittedEvents);

export interface LedgerFollower {
  /** The fold as far as it has come. */
  current(): StateAt<ControlState>;
  /** The event of a later release at which the fold ends; undefined when it does not. */
  obstacle(): LaterRelease | undefined;
  /** Reads on, also past what was an obstacle a moment ago. */
  readOn(): Promise<void>;
  /** Stops following; the fold stays. */
  stop(): Promise<void>;
}

/** A fold, and the event of a later release at which it ends. */
interface Fold extends StateAt<ControlState> {
  readonly obstacle?: LaterRelease;
}

/** Reads the newest snapshot and the events after it. */
async function readFold(reader: LedgerReader): Promise<Fold> {
  const snapshot = await reader.latestSnapshot({ foldVersion: FOLD_VERSION });
  const start =
    snapshot === undefined
      ? { state: emptyControlState, position: 0 }
      : { state: decodeSnapshot(snapshot.chunks), position: snapshot.position };
  return catchUp(reader, start);
}

async function catchUp(reader: LedgerReader, from: StateAt<ControlState>): Promise<Fold> {
  let { state, position } = from;
  try {
    for await (const batch of reader.read({ after: position })) {
      for (const event of batch) {
        state = evolveForLog(state, event);
        position = event.position;
      }
    }
    return { state, position };
  } catch (error) {
    if (error instanceof LaterRelease) return { state, position, obstacle: error };
    throw error;
  }
}

/** Follows the control ledger until stopped. What a message shows to be missing is read from Postgres. */
export async function followLedger(reader: LedgerReader, bus: Bus, log: Logger): Promise<LedgerFollower> {
  let fold = await readFold(reader);
  let announced = fold.position;
  let reading: Promise<void> | undefined;

  const tell = ({ obstacle }: Fold): void => {
    if (obstacle === undefined) return;
    log.error({ reason: obstacle.message }, 'the log cannot be followed any further: this allocator cannot lead');
  };
  const step = async (): Promise<void> => {
    const before = fold.obstacle;
    fold = await catchUp(reader, fold);
    if (fold.obstacle?.message !== before?.message) tell(fold);
  };
  const readAll = async (): Promise<void> => {
    try {
      do await step();
      while (fold.position < announced && fold.obstacle === undefined);
    } catch (error) {
      log.warn({ error: describeError(error) }, 'the standby cannot read the log; it tries again with the next event');
    }
  };
  const readOn = (): Promise<void> => (reading ??= readAll().finally(() => (reading = undefined)));
  const subscription = bus.subscribe(eventsOf(reader.ledger), (payload) => {
    const last = EventsAtDoor.parse(payload).events.at(-1);
    if (last === undefined) return;
    announced = Math.max(announced, last.position);
    if (fold.position < announced && fold.obstacle === undefined) void readOn();
  });
  tell(fold);
  return {
    current: () => fold,
    obstacle: () => fold.obstacle,
    readOn,
    async stop() {
      await subscription.close();
      await reading;
    },
  };
}
