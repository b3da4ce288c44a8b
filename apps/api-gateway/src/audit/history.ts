/** Every event about one thing, those of its operations included, in the order of the log, each with what led to it. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { type EventEntry, entryOf } from './events/event-entry';

/** An event that led to another one. */
export interface Cause {
  readonly position: number;
  readonly type: string;
}

/** One event as an auditor reads it. */
export interface HistoryEntry extends EventEntry {
  /** What led to it directly; absent for the first event of a request. */
  readonly cause?: Cause;
  /** The event at the other end of the chain: its request set everything in motion. */
  readonly trigger?: Cause;
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
  { upTo = Number.MAX_SAFE_INTEGER, limit }: HistoryRange,
): Promise<HistoryEntry[]> {
  const events = await eventsAbout(ledger, streamId);
  return withCauses(events.filter(({ position }) => position <= upTo)).slice(-limit);
}

/** All of it, as it is stored. */
export async function eventsAbout(ledger: LedgerReader, streamId: string): Promise<StoredEvent[]> {
  const own = await ledger.readStream(streamId);
  const operations = [...new Set(own.flatMap(operationIdIn))];
  const events = [...own];
  for (let from = 0; from < operations.length; from += STREAMS_AT_ONCE) {
    const streams = operations.slice(from, from + STREAMS_AT_ONCE).map((id) => `operation-${id}`);
    const read = await Promise.all(streams.filter((id) => id !== streamId).map((id) => ledger.readStream(id)));
    events.push(...read.flat());
  }
  return events.sort((one, other) => one.position - other.position);
}

/** Entries of events in order, each with what led to it: within an operation one thing leads to the next. */
export function withCauses(events: readonly StoredEvent[]): HistoryEntry[] {
  const first = new Map<string, Cause>();
  const last = new Map<string, Cause>();
  const tasks = new Map<string, Cause>();
  return events.map((event) => {
    const [operationId] = operationIdIn(event);
    if (operationId === undefined) return entryOf(event);
    const self = { position: event.position, type: event.type };
    const { taskId } = event.data;
    const cause = (typeof taskId === 'string' ? tasks.get(taskId) : undefined) ?? last.get(operationId);
    const trigger = first.get(operationId);
    if (trigger === undefined) first.set(operationId, self);
    last.set(operationId, self);
    for (const task of taskIdsIn(event)) tasks.set(task, self);
    return {
      ...entryOf(event),
      ...(cause === undefined ? {} : { cause }),
      ...(trigger === undefined ? {} : { trigger }),
    };
  });
}

function operationIdIn({ data }: StoredEvent): string[] {
  const id = data['operationId'];
  return typeof id === 'string' ? [id] : [];
}

function taskIdsIn({ type, data }: StoredEvent): string[] {
  const { tasks } = data;
  if (type !== 'StepStarted' || !Array.isArray(tasks)) return [];
  return (tasks as readonly { readonly taskId: string }[]).map(({ taskId }) => taskId);
}

/** What of a volume's history concerns one of its bricks: what names it, its tasks, and the end of the volume. */
export function aboutBrick(history: readonly HistoryEntry[], brickId: string): HistoryEntry[] {
  const tasks = new Set<string>();
  return history.filter((entry) => {
    const { type, data } = entry;
    if (type === 'VolumeDeleted' || type === 'VolumeCreationUndone') return true;
    const { taskId } = data;
    if (typeof taskId === 'string') return tasks.has(taskId);
    const { tasks: planned } = data;
    if (type === 'StepStarted' && Array.isArray(planned)) {
      const own = planned.filter((task) => JSON.stringify(task).includes(brickId));
      for (const { taskId: id } of own as readonly { readonly taskId: string }[]) tasks.add(id);
      return own.length > 0;
    }
    return JSON.stringify(data).includes(brickId);
  });
}
