import type { JsonObject } from './canonical-json';

/** Who caused an event. */
export interface Actor {
  readonly name: string;
  readonly role?: string | undefined;
  /** Network address the request came from. */
  readonly address?: string | undefined;
  /** The person or service the actor acted for. */
  readonly onBehalfOf?: string | undefined;
}

/** What is recorded beside the fact itself: which request, caused by what, by whom. */
export interface EventMetadata {
  /** Id the caller chose for the command; the same id has one effect. */
  readonly commandId?: string;
  /** Same for everything that one request set in motion. */
  readonly correlationId: string;
  /** Id of the event or command that led to this one. */
  readonly causationId?: string;
  readonly actor: Actor;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
}

/** A fact somebody decided, before it has a place in the log. */
export interface NewEvent<Data = JsonObject> {
  /** What the fact is about, such as `volume-<id>`; at most 500 characters. */
  readonly streamId: string;
  readonly type: string;
  /** Version of the schema of `data`. */
  readonly version: number;
  readonly data: Data;
  /** The canonical text of `data`, when who made the event has it: `data` is then what a reader of the text gets. */
  readonly text?: string;
}

/** A fact in the log: it never changes. */
export interface StoredEvent<Data = JsonObject> extends Omit<NewEvent<Data>, 'text'> {
  readonly ledger: string;
  /** Place in the ledger: 1, 2, 3, … without gaps. */
  readonly position: number;
  /** Place in the stream: 1, 2, 3, … without gaps. */
  readonly streamVersion: number;
  /** UUID, different for every event ever written, in any history of the ledger. */
  readonly eventId: string;
  readonly metadata: EventMetadata;
  /** ISO 8601, UTC, milliseconds; never before that of the event before. */
  readonly recordedAt: string;
  /** SHA-256 over the hash of the event before and everything above, hexadecimal. */
  readonly hash: string;
}

/** Of a stored event what a fold needs: what happened, and when. */
export type StoredChange = Pick<StoredEvent, 'position' | 'type' | 'version' | 'data' | 'recordedAt'>;

/** The end of a ledger, or of a part of it: position 0 and `GENESIS_HASH` when there is no event. */
export interface ChainEnd {
  readonly position: number;
  readonly hash: string;
}

/** Passing trouble: the log or its leader is away. Whether the command took effect is unknown; ask again with the same command id. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** More is waiting than the writer takes; nothing happened, ask again later. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}

/** A command that cannot be decided or stored because of a mistake in it or in the code; asking again will not help. */
export class Defect extends Error {
  override readonly name = 'Defect';
}
