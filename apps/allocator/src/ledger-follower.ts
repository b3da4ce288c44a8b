/** The fold as a standby keeps it: a snapshot, the rest of the log, then every batch that is announced. */
import { CommittedEvents, eventsOf } from '@brickyard/contracts';
import { decodeSnapshot, emptyControlState, evolveStored, FOLD_VERSION, type ControlState } from '@brickyard/domain';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import { describeError, type Bus, type Logger } from '@brickyard/service-host';

export interface LedgerFollower {
  /** The fold as far as it has come. */
  current(): StateAt<ControlState>;
  /** Stops following; the fold stays. */
  stop(): Promise<void>;
}

/** Reads the newest snapshot and the events after it. */
export async function readFold(reader: LedgerReader): Promise<StateAt<ControlState>> {
  const snapshot = await reader.latestSnapshot({ foldVersion: FOLD_VERSION });
  const start =
    snapshot === undefined
      ? { state: emptyControlState, position: 0 }
      : { state: decodeSnapshot(snapshot.chunks), position: snapshot.position };
  return catchUp(reader, start);
}

async function catchUp(reader: LedgerReader, from: StateAt<ControlState>): Promise<StateAt<ControlState>> {
  let { state, position } = from;
  for await (const batch of reader.read({ after: position })) {
    for (const event of batch) state = evolveStored(state, event);
    position = batch.at(-1)?.position ?? position;
  }
  return { state, position };
}

/** Follows the control ledger until stopped. What a message shows to be missing is read from Postgres. */
export async function followLedger(reader: LedgerReader, bus: Bus, log: Logger): Promise<LedgerFollower> {
  let fold = await readFold(reader);
  let announced = fold.position;
  let reading: Promise<void> | undefined;

  const readOn = async (): Promise<void> => {
    try {
      while (fold.position < announced) fold = await catchUp(reader, fold);
    } catch (error) {
      log.warn({ error: describeError(error) }, 'the standby cannot read the log; it tries again with the next event');
    }
  };
  const hear = (upTo: number): void => {
    announced = Math.max(announced, upTo);
    reading ??= readOn().finally(() => (reading = undefined));
  };
  const subscription = bus.subscribe(eventsOf(reader.ledger), (payload) => {
    const last = CommittedEvents.parse(payload).events.at(-1);
    if (last !== undefined) hear(last.position);
  });
  return {
    current: () => fold,
    async stop() {
      await subscription.close();
      await reading;
    },
  };
}
