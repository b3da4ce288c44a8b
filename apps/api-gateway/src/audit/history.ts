/** Every event about one thing, those of its operations included, in the order of the log. */
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';

type StoredEvent = Awaited<ReturnType<LedgerReader['readStream']>>[number];

/** One event as an auditor reads it. */
export interface HistoryEntry {
  readonly position: number;
  readonly time: string;
  readonly stream: string;
  readonly type: string;
  readonly version: number;
  readonly actor: StoredEvent['metadata']['actor'];
  readonly commandId?: string;
  readonly correlationId: string;
  readonly data: StoredEvent['data'];
  readonly hash: string;
}

/** The part of a history that is asked for. */
export interface HistoryRange {
  /** Last position wanted; absent: to the end. */
  readonly upTo: number | undefined;
  /** Entries at most: the latest ones. */
  readonly limit: number;
}

/** Operations of one thing that are read at the same time. */
const STREAMS_AT_ONCE = 4;

/** The history of the thing with a stream; empty when there never was such a thing. */
export async function readHistory(
  ledger: LedgerReader,
  streamId: string,
  range: HistoryRange,
): Promise<HistoryEntry[]> {
  const own = await ledger.readStream(streamId);
  const operations = [...new Set(own.flatMap(({ data }) => operationIdIn(data)))];
  const events = [...own];
  for (let from = 0; from < operations.length; from += STREAMS_AT_ONCE) {
    const streams = operations.slice(from, from + STREAMS_AT_ONCE);
    const read = await Promise.all(streams.map((id) => ledger.readStream(`operation-${id}`)));
    events.push(...read.flat());
  }
  const { upTo = Number.MAX_SAFE_INTEGER, limit } = range;
  return events
    .filter(({ position }) => position <= upTo)
    .sort((one, other) => one.position - other.position)
    .slice(-limit)
    .map(entryOf);
}

function operationIdIn(data: StoredEvent['data']): string[] {
  const id = data['operationId'];
  return typeof id === 'string' ? [id] : [];
}

function entryOf({ position, recordedAt, streamId, type, version, metadata, data, hash }: StoredEvent): HistoryEntry {
  const { actor, commandId, correlationId } = metadata;
  const command = commandId === undefined ? {} : { commandId };
  return { position, time: recordedAt, stream: streamId, type, version, actor, ...command, correlationId, data, hash };
}
