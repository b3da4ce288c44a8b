import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json';
import type { ChainEnd, StoredEvent } from './event-log';

/** What the first event of every ledger follows. */
export const GENESIS_HASH = '0'.repeat(64);

/** The end of a ledger without events. */
export const GENESIS: ChainEnd = { position: 0, hash: GENESIS_HASH };

/** Everything of an event that its hash covers, beside data and metadata. */
export type EventHeader = Omit<StoredEvent, 'data' | 'metadata' | 'hash'>;

/** A break in the chain: which event, and what does not fit. */
export interface ChainProblem {
  /** Position at which the event stands that does not fit, or is missing. */
  readonly position: number;
  /** `gap`: another position than the next one; `hash`: it, or the one before, is not what was recorded; `end`: the ledger ends elsewhere. */
  readonly problem: 'gap' | 'hash' | 'end';
  readonly detail: string;
}

/** The hash of an event that follows the one with the given hash (32 bytes). */
export function eventHash(previous: Uint8Array, event: Omit<StoredEvent, 'hash'>): Buffer {
  return canonicalEventHash(previous, event, canonicalJson(event.data), canonicalJson(event.metadata));
}

/** As `eventHash`, for one who has the canonical texts at hand. */
export function canonicalEventHash(previous: Uint8Array, event: EventHeader, data: string, metadata: string): Buffer {
  // The length before each field: no two different events have the same bytes.
  const head =
    lengthened(event.ledger) +
    lengthened(String(event.position)) +
    lengthened(event.streamId) +
    lengthened(String(event.streamVersion)) +
    lengthened(event.eventId) +
    lengthened(event.type) +
    lengthened(String(event.version)) +
    lengthened(event.recordedAt);
  return hash('sha256', joined('', previous, head + lengthened(data) + lengthened(metadata)), 'buffer');
}

/** Texts around the hash before, as bytes; the buffer is used again for the next. */
function joined(before: string, previous: Uint8Array, text: string): Uint8Array {
  const bytesMax = (before.length + text.length) * UTF8_BYTES_MAX + previous.length;
  if (scratch.length < bytesMax) scratch = Buffer.allocUnsafeSlow(bytesMax * 2);
  const start = scratch.write(before);
  scratch.set(previous, start);
  const end = start + previous.length;
  return scratch.subarray(0, end + scratch.write(text, end));
}

/** The most bytes a UTF-16 code unit takes in UTF-8. */
const UTF8_BYTES_MAX = 3;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

const lengthened = (field: string): string => `${String(Buffer.byteLength(field))}:${field}`;

/** A UUID (version 8) for the event that follows a hash: the same for the same history, another one for any other. */
export function eventIdAfter(previous: Uint8Array, ledger: string, position: number): string {
  const digest = hash('sha256', joined('id', previous, `${ledger}/${String(position)}`), 'hex');
  const variant = '89ab'.charAt(Number.parseInt(digest.charAt(16), 16) % 4);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}

/** Checks that events follow each other, and a known end before them, unchanged; names the first one that does not. */
export function verifyChain(events: Iterable<StoredEvent>, after: ChainEnd = GENESIS): ChainProblem | undefined {
  let previous = after;
  for (const event of events) {
    const problem = findProblem(previous, event);
    if (problem !== undefined) return problem;
    previous = event;
  }
  return undefined;
}

/** Checks that a verified chain ends where the ledger says that it ends: the last events cannot be cut off unseen. */
export function verifyEnd(verified: ChainEnd, recorded: ChainEnd): ChainProblem | undefined {
  if (verified.position === recorded.position && verified.hash === recorded.hash) return undefined;
  const detail = `the ledger is recorded to end at ${describeEnd(recorded)}, but its events end at ${describeEnd(verified)}`;
  return { position: Math.min(verified.position, recorded.position) + 1, problem: 'end', detail };
}

function findProblem(previous: ChainEnd, event: StoredEvent): ChainProblem | undefined {
  const position = previous.position + 1;
  if (event.position !== position) {
    return {
      position,
      problem: 'gap',
      detail: `position ${String(position)} is missing; ${String(event.position)} is in its place`,
    };
  }
  const actual = eventHash(Buffer.from(previous.hash, 'hex'), event).toString('hex');
  if (actual === event.hash) return undefined;
  const what = `${event.type} of ${event.streamId}`;
  return {
    position,
    problem: 'hash',
    detail: `${what} has hash ${event.hash}, but its content and predecessor give ${actual}`,
  };
}

function describeEnd({ position, hash }: ChainEnd): string {
  return `position ${String(position)} (${hash})`;
}
