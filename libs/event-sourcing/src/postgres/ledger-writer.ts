import type { JsonValue } from '../canonical-json';
import { Defect, Unavailable } from '../event-log';
import { catchUp } from './catch-up';
import { asUnavailable } from './connection';
import { GroupCommitWriter } from './group-commit.writer';
import type { LedgerStorage } from './ledger-storage';
import { postgresStorage } from './postgres-storage';
import type { LedgerWriter, LedgerWriterOptions, WriterOptions } from './types';

/** Opens the single writer of a ledger in Postgres: resolves when this process has become the leader and has folded the whole ledger. */
export function openLedgerWriter<State, Command, Reply extends JsonValue>(
  options: LedgerWriterOptions<State, Command, Reply>,
): Promise<LedgerWriter<State, Command, Reply>> {
  return openLedgerWriterOn(postgresStorage(options), options);
}

/** As `openLedgerWriter`, on any storage. */
export async function openLedgerWriterOn<State, Command, Reply extends JsonValue>(
  storage: LedgerStorage,
  options: WriterOptions<State, Command, Reply>,
): Promise<LedgerWriter<State, Command, Reply>> {
  const { ledger, signal } = options;
  const losses: Error[] = [];
  let onLost = (error: Error): void => void losses.push(error);
  const leadership = await storage.lead(options, (error) => {
    onLost(error);
  });
  const abort = (): void => {
    onLost(new Unavailable('the writer was aborted'));
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const caught = await catchUp(storage, options, leadership);
    const [loss] = losses;
    if (loss !== undefined) throw loss;
    const writer = new GroupCommitWriter(options, leadership, caught);
    onLost = (error) => {
      writer.lose(error);
    };
    return writer;
  } catch (error) {
    leadership.abandon();
    signal?.removeEventListener('abort', abort);
    signal?.throwIfAborted();
    throw error instanceof Defect ? error : asUnavailable(`open ledger ${ledger}`, error);
  }
}
