/** A model of Postgres as the log uses it: one head, one lock, transactions that are there or not, sessions that die. */
import { GENESIS_HASH, type JsonObject, type JsonValue, type StoredEvent } from '@brickyard/event-sourcing';
import type { Head, RecordedAnswer, Snapshot, Transaction } from '@brickyard/event-sourcing/postgres';
import type { Kernel } from './kernel';
import type { Network } from './network';

export const POSTGRES = 'postgres';
export const LEDGER = 'control';

/** An event, and which leadership wrote it: what no query would show. */
export interface Written {
  readonly event: StoredEvent;
  readonly epoch: number;
}

/** Everything on the disk of the database. */
export interface Tables {
  readonly written: Written[];
  head: Head;
  readonly commands: Map<string, RecordedAnswer>;
  readonly streams: Map<string, number>;
  readonly cursors: Map<string, number>;
  readonly snapshots: Snapshot[];
}

export const emptyTables = (): Tables => ({
  written: [],
  head: { position: 0, hash: GENESIS_HASH, epoch: 0 },
  commands: new Map(),
  streams: new Map(),
  cursors: new Map(),
  snapshots: [],
});

/** A copy that lives on by itself. */
export const copyOfTables = (tables: Tables): Tables => ({
  written: [...tables.written],
  head: tables.head,
  commands: new Map(tables.commands),
  streams: new Map(tables.streams),
  cursors: new Map(tables.cursors),
  snapshots: [...tables.snapshots],
});

interface EventRow {
  readonly p: number;
  readonly s: string;
  readonly v: number;
  readonly i: string;
  readonly t: string;
  readonly n: number;
  readonly d: JsonObject;
  readonly m: StoredEvent['metadata'];
  readonly r: string;
  readonly h: string;
}

interface CommandRow {
  readonly c: string;
  readonly a?: JsonValue;
  readonly p: number;
}

/** Faults put into the model on purpose, to see that a run finds them. */
export interface PostgresSabotage {
  /** The head moves whoever asks. */
  readonly unfenced?: boolean;
  /** Recorded answers are not found. */
  readonly forgetful?: boolean;
  /** Whoever asks whether he leads still is told yes. */
  readonly trusting?: boolean;
}

interface Session {
  grant: () => void;
}

export class SimulatedPostgres {
  isUp = true;
  private holder: Session | undefined;
  private waiters: Session[] = [];
  /** What a crash would lose of cursors, which are not flushed. */
  private durableCursors: Map<string, number>;

  constructor(
    private readonly kernel: Kernel,
    private readonly network: Network,
    readonly tables: Tables,
    readonly sabotage: PostgresSabotage,
    /** Told of every transaction as it is committed. */
    private readonly onCommit: (written: readonly Written[]) => void,
  ) {
    this.durableCursors = new Map(tables.cursors);
  }

  crash(): void {
    this.isUp = false;
    this.holder = undefined;
    this.waiters = [];
    this.tables.cursors.clear();
    for (const [name, position] of this.durableCursors) this.tables.cursors.set(name, position);
    this.network.serverDied(POSTGRES);
  }

  restart(): void {
    this.isUp = true;
  }

  /** Who holds the lock loses it without knowing, as when somebody ends the wrong backend: only the epoch is left to tell. */
  breakLock(): void {
    this.holder = undefined;
    this.grantNext();
  }

  newSession(): Session {
    return { grant: () => undefined };
  }

  /** The session waits for the lock; whoever has it gets the head with an epoch of its own. */
  waitForLead(session: Session, granted: (head: Head) => void): void {
    session.grant = () => {
      this.tables.head = { ...this.tables.head, epoch: this.tables.head.epoch + 1 };
      granted(this.tables.head);
    };
    this.waiters.push(session);
    this.grantNext();
  }

  /** The session has ended. */
  release(session: Session): void {
    this.waiters = this.waiters.filter((waiter) => waiter !== session);
    if (this.holder !== session) return;
    this.holder = undefined;
    this.grantNext();
  }

  private grantNext(): void {
    if (this.holder !== undefined || !this.isUp) return;
    const next = this.waiters.shift();
    if (next === undefined) return;
    this.holder = next;
    next.grant();
  }

  /** One transaction: everything, or nothing when the head is another one. */
  append({ epoch, fromPosition, toPosition, toHash, events, streams, commands }: Transaction): boolean {
    const { tables } = this;
    const fits = tables.head.epoch === epoch && tables.head.position === fromPosition;
    if (!fits && this.sabotage.unfenced !== true) return false;
    const written = (JSON.parse(events) as readonly EventRow[]).map((row) => ({ epoch, event: eventFrom(row) }));
    tables.head = { ...tables.head, position: toPosition, hash: toHash };
    tables.written.push(...written);
    for (const { s, v } of JSON.parse(streams) as readonly { s: string; v: number }[]) tables.streams.set(s, v);
    for (const { c, a, p } of JSON.parse(commands) as readonly CommandRow[]) {
      tables.commands.set(c, { reply: a ?? null, position: p });
    }
    this.onCommit(written);
    return true;
  }

  answers(commandIds: readonly string[]): ReadonlyMap<string, RecordedAnswer> {
    if (this.sabotage.forgetful === true) return new Map();
    return new Map(
      commandIds.flatMap((id) => {
        const answer = this.tables.commands.get(id);
        return answer === undefined ? [] : [[id, answer] as const];
      }),
    );
  }

  moveCursor(name: string, position: number): void {
    const { cursors } = this.tables;
    cursors.set(name, Math.max(position, cursors.get(name) ?? 0));
    if (this.kernel.random.chance(0.3)) this.durableCursors = new Map(cursors);
  }
}

function eventFrom({ p, s, v, i, t, n, d, m, r, h }: EventRow): StoredEvent {
  return {
    ledger: LEDGER,
    position: p,
    streamId: s,
    streamVersion: v,
    eventId: i,
    type: t,
    version: n,
    data: d,
    metadata: m,
    recordedAt: r,
    hash: h,
  };
}
