import type { JsonValue } from '../canonical-json';
import { Defect, Unavailable } from '../event-log';
import { catchUp } from './catch-up';
import { asUnavailable } from './connection';
import { GroupCommitWriter } from './group-commit.writer';
import { lead } from './leadership';
import type { LedgerWriter, LedgerWriterOptions } from './types';

/** Opens the single writer of a ledger: resolves when this process has become the leader and has folded the whole ledger. */
export async function openLedgerWriter<State, Command, Reply extends JsonValue>(
  options: LedgerWriterOptions<State, Command, Reply>,
): Promise<LedgerWriter<State, Command, Reply>> {
  const { ledger, signal } = options;
  const losses: Error[] = [];
  let onLost = (error: Error): void => void losses.push(error);
  const leadership = await lead(options, (error) => {
    onLost(error);
  });
  const abort = (): void => {
    onLost(new Unavailable('the writer was aborted'));
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const caught = await catchUp(options, leadership);
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
