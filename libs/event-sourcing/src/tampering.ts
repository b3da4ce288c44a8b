/** What an auditor looks at and what may be wrong with it. */
import { canonicalEventHash, type EventHeader } from './hash-chain';

/** An event as it is stored: data and metadata are the very texts that were hashed. */
export interface RawEvent extends EventHeader {
  readonly data: string;
  readonly metadata: string;
  /** As recorded, hexadecimal. */
  readonly hash: string;
}

/**
 * What somebody did to a ledger. `edited`: this event's content; `replaced`: it and its hash; `deleted`, `inserted`,
 * `reordered`: events taken out, put in, exchanged; `truncated`: the end is gone; `head`: the record of the end is
 * another one; `stream`: a stream's own count does not fit.
 */
export type TamperingKind =
  'edited' | 'replaced' | 'deleted' | 'inserted' | 'reordered' | 'truncated' | 'head' | 'stream';

/** Something wrong, and where. */
export interface Finding<Kind extends string = string> {
  readonly kind: Kind;
  /** The position it concerns first. */
  readonly position: number;
  readonly detail: string;
}

/** Whether an event with this recorded hash stood at a position after a hash. */
export function followsAt(event: RawEvent, previous: Buffer, position: number): boolean {
  const header = position === event.position ? event : { ...event, position };
  return canonicalEventHash(previous, header, event.data, event.metadata).toString('hex') === event.hash;
}
