/** Signs the head of the log now and then, into a table and into a file outside Postgres, so that history cannot be rewritten unseen. */
import { signCheckpoint, type ChainEnd, type Checkpoint } from '@brickyard/event-sourcing';
import {
  appendCheckpoint,
  mendCheckpointFile,
  type CheckpointTable,
  type LedgerReader,
} from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger } from '@brickyard/service-host';
import { openSigningKey } from './signing-key';

export interface CheckpointOptions {
  /** The private key; made when it is missing. */
  readonly keyFile: string;
  /** Where checkpoints are appended besides the table; absent: nowhere. */
  readonly file?: string;
  /** Events between two checkpoints. */
  readonly everyEvents: number;
  /** Milliseconds after which events that are not signed for yet get a checkpoint. */
  readonly everyMs: number;
  readonly clock?: () => number;
}

export interface CheckpointKeeper {
  /** Told after every commit. */
  offer(end: ChainEnd): void;
  /** Signs for what is not signed for yet. */
  close(): Promise<void>;
}

/** Starts to sign; goes on from the checkpoints that are there. Only the leader may. */
export async function startCheckpointKeeper(
  options: CheckpointOptions,
  { reader, table, log }: { readonly reader: LedgerReader; readonly table: CheckpointTable; readonly log: Logger },
): Promise<CheckpointKeeper> {
  const { keyFile, file, everyEvents, everyMs, clock = Date.now } = options;
  const { ledger } = reader;
  let tip: ChainEnd = await reader.head();
  let signedUpTo = 0;
  let work: Promise<void> = Promise.resolve();
  /** In the file, but not in the table yet. */
  let unsaved: Checkpoint | undefined;

  const saveRest = async (): Promise<void> => {
    if (unsaved === undefined) return;
    await table.save(unsaved);
    unsaved = undefined;
  };
  const sign = async ({ position, hash }: ChainEnd): Promise<void> => {
    const key = keys.current();
    if (key === undefined) return; // Told by the key's keeper.
    const before = signedUpTo;
    signedUpTo = position;
    try {
      await saveRest();
      const at = new Date(clock()).toISOString();
      const checkpoint = signCheckpoint({ ledger, position, hash, at }, key);
      if (file !== undefined) await appendCheckpoint(file, checkpoint);
      unsaved = checkpoint;
      await saveRest();
      log.info({ position, keyId: checkpoint.keyId }, 'checkpoint signed');
    } catch (error) {
      if (unsaved === undefined) signedUpTo = before;
      log.warn({ position, error: describeError(error) }, 'checkpoint not kept everywhere; it is tried again');
    }
  };
  const signTip = (): void => {
    const end = tip;
    work = work.then(async () => {
      await keys.turn(end).catch((error: unknown) => {
        log.warn({ error: describeError(error) }, 'the next key could not follow; it is tried again');
      });
      if (end.position > signedUpTo) await sign(end);
      else await saveRest().catch(() => undefined); // Told when it failed first; tried again with the next tick.
    });
  };

  signedUpTo = await signedSoFar(reader, table, file, log);
  const fileOption = file === undefined ? {} : { file };
  const keys = await openSigningKey({ keyFile, ...fileOption, ledger, table, clock, log });
  const timer = setInterval(signTip, everyMs).unref();
  return {
    offer(end) {
      tip = end;
      if (tip.position - signedUpTo >= everyEvents) signTip();
    },
    async close() {
      clearInterval(timer);
      signTip();
      await work;
      await table.close();
    },
  };
}

/** The position up to which somebody vouched, or 0; tells when the log is not the one that was vouched for. */
async function signedSoFar(
  reader: LedgerReader,
  table: CheckpointTable,
  file: string | undefined,
  log: Logger,
): Promise<number> {
  const kept = file === undefined ? [] : (await mendCheckpointFile(file)).checkpoints;
  const inFile = kept.filter(({ ledger }) => ledger === reader.ledger);
  const lastInFile = inFile.at(-1);
  const lastInTable = await table.latest();
  const known = [lastInFile, lastInTable].filter((one) => one !== undefined);
  for (const checkpoint of known) {
    if (await isInLog(reader, checkpoint)) continue;
    const { position } = checkpoint;
    log.error(
      { position },
      'THE LOG IS NOT THE ONE THAT WAS SIGNED: run `brickyard audit verify` before anything else',
    );
    return 0;
  }
  // A crash between the two leaves one that the table has not; it is the log's own, so it may stand there.
  if (lastInFile !== undefined && lastInFile.position > (lastInTable?.position ?? 0)) await table.save(lastInFile);
  return Math.max(0, ...known.map(({ position }) => position));
}

async function isInLog(reader: LedgerReader, { position, hash }: Checkpoint): Promise<boolean> {
  for await (const [event] of reader.read({ after: position - 1, upTo: position })) return event?.hash === hash;
  return false;
}
