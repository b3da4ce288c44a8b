/**
 * Snapshots that show what they are of. The last line names the event after which the state was taken, by position and
 * hash, and the digest of all lines before. So one that lost a line, was edited, or is of another history (the log was
 * put back from a backup and went on differently) is seen, and passed over.
 */
import { createHash } from 'node:crypto';
import { type ChainEnd, Unavailable } from '../event-log';
import { GENESIS_HASH } from '../hash-chain';
import type { LedgerReader, Snapshot, StateAt } from './types';

interface Seal extends ChainEnd {
  readonly kind: 'seal';
  readonly sha256: string;
}

/** The lines of a snapshot, and the seal after them. */
export function* sealed(lines: Iterable<string>, { position, hash }: ChainEnd): Generator<string> {
  const digest = createHash('sha256');
  for (const line of lines) {
    digest.update(line).update('\n');
    yield line;
  }
  yield JSON.stringify({ kind: 'seal', position, hash, sha256: digest.digest('hex') } satisfies Seal);
}

/** Which snapshot is wanted, how to read it, and whom to tell of those that are not what they should be. */
export interface SealedWanted<State> {
  readonly foldVersion: string;
  readonly atOrBefore?: number;
  readonly decode: (lines: readonly string[]) => State;
  readonly onRefused: (position: number | undefined, reason: string) => void;
}

/**
 * The newest state that can be trusted: one that is whole and belongs to this very log. Undefined when there is none;
 * rejects only while Postgres is away.
 */
export async function readSealed<State>(
  reader: LedgerReader,
  { foldVersion, atOrBefore, decode, onRefused }: SealedWanted<State>,
): Promise<StateAt<State> | undefined> {
  let upTo = atOrBefore ?? Number.MAX_SAFE_INTEGER;
  while (upTo > 0) {
    let snapshot: Snapshot | undefined;
    try {
      snapshot = await reader.latestSnapshot({ foldVersion, atOrBefore: upTo });
      if (snapshot === undefined) return undefined;
      return { state: decode(await unsealed(reader, snapshot)), position: snapshot.position };
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      onRefused(snapshot?.position, error instanceof Error ? error.message : String(error));
      if (snapshot === undefined) return undefined; // It cannot even be unpacked, and nobody knows what it is of.
      upTo = snapshot.position - 1;
    }
  }
  return undefined;
}

/** The lines of a snapshot whose seal holds; throws what is wrong with it. */
async function unsealed(reader: LedgerReader, { position, chunks }: Snapshot): Promise<readonly string[]> {
  const lines = chunks.slice(0, -1);
  const kept = chunks.at(-1) ?? '';
  const hash = await hashAt(reader, position);
  if (hash === undefined) throw new Error('it is of an event that this log does not have');
  if ([...sealed(lines, { position, hash })].at(-1) === kept) return lines;
  throw new Error(`its last line is not what it must be after ${String(lines.length)} lines and this event`);
}

async function hashAt(reader: LedgerReader, position: number): Promise<string | undefined> {
  if (position === 0) return GENESIS_HASH;
  for await (const [event] of reader.read({ after: position - 1, upTo: position })) return event?.hash;
  return undefined;
}
