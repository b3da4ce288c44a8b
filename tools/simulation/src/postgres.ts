/** A model of Postgres as the log uses it: one head, one lock, transactions that are there or not, sessions that die. */
import {
  GENESIS_HASH,
  Unavailable,
  type JsonObject,
  type JsonValue,
  type StoredEvent,
} from '@brickyard/event-sourcing';
import type {
  Candidacy,
  Head,
  Leadership,
  LedgerReader,
  LedgerStorage,
  ReadRange,
  RecordedAnswer,
  Snapshot,
  SnapshotToSave,
  Transaction,
} from '@brickyard/event-sourcing/postgres';
import type { Kernel, Proc } from './kernel';
import type { Link, Network } from './network';

export const POSTGRES = 'postgres';
const LEDGER = 'control';
const SILENCE_MS_MAX = 15_000;
const PAGE_SIZE = 1_000;

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

  storage(proc: Proc): LedgerStorage {
    return {
      ledger: LEDGER,
      lead: (candidacy, onLost) => this.lead(proc, candidacy, onLost),
      openReader: () => new SimulatedReader(this, this.network, proc),
      openCheckpointTable: () => {
        throw new Error('the simulation signs nothing');
      },
    };
  }

  private async lead(
    proc: Proc,
    { signal, silenceMsMax = SILENCE_MS_MAX }: Candidacy,
    onLost: (error: Error) => void,
  ): Promise<Leadership> {
    signal?.throwIfAborted();
    if (!this.isUp || !this.network.canReach(proc, POSTGRES)) throw new Unavailable('connection refused');
    const session: Session = { grant: () => undefined };
    const client = new Client(this, this.network, proc, onLost, () => {
      this.release(session);
    });
    const lookups = new Client(this, this.network, proc, onLost);
    signal?.addEventListener('abort', () => {
      client.drop();
      lookups.drop();
    });
    const head = await client.ask<Head>((answer) => {
      session.grant = () => {
        this.tables.head = { ...this.tables.head, epoch: this.tables.head.epoch + 1 };
        answer(this.tables.head);
      };
      this.waiters.push(session);
      this.grantNext();
    });
    return leadershipOn({ head, client, lookups, silenceMsMax, onLost }, this);
  }

  private release(session: Session): void {
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

/** One session: requests one after the other, each answered or refused when the connection ends. */
class Client {
  private readonly link: Link;
  private readonly waiting = new Set<(error: Error) => void>();
  private hasEnded = false;

  constructor(
    private readonly server: SimulatedPostgres,
    network: Network,
    proc: Proc,
    private readonly onLost: (error: Error) => void,
    onServerSeesEnd: () => void = () => undefined,
  ) {
    this.link = network.open({
      proc,
      server: POSTGRES,
      onServerSeesEnd,
      onClientSeesEnd: () => {
        this.end(new Unavailable('the connection to Postgres ended'));
        this.onLost(new Unavailable('the connection to Postgres ended'));
      },
    });
  }

  ask<T>(work: (answer: (value: T) => void) => void): Promise<T> {
    if (this.hasEnded) return Promise.reject(new Unavailable('the connection to Postgres has ended'));
    return new Promise<T>((resolve, reject) => {
      this.waiting.add(reject);
      this.link.toServer(() => {
        if (!this.server.isUp) return;
        work((value) => {
          this.link.toClient(() => {
            this.waiting.delete(reject);
            resolve(value);
          });
        });
      });
    });
  }

  /** Without a word. */
  drop(): void {
    this.link.close();
    this.end(new Unavailable('the connection was dropped'));
  }

  private end(error: Error): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const reject of waiting) reject(error);
  }
}

interface Held {
  readonly head: Head;
  readonly client: Client;
  readonly lookups: Client;
  readonly silenceMsMax: number;
  readonly onLost: (error: Error) => void;
}

/** As the real one: a heart that beats on both sessions, and silence that ends it. */
function leadershipOn(held: Held, server: SimulatedPostgres): Leadership {
  const { head, client, lookups, silenceMsMax, onLost } = held;
  const beat = async (): Promise<void> => {
    const silence = setTimeout(() => {
      onLost(new Unavailable('Postgres does not answer'));
    }, silenceMsMax);
    try {
      const pong = (answer: (value: undefined) => void): void => {
        answer(undefined);
      };
      await Promise.all([client.ask(pong), lookups.ask(pong)]);
    } finally {
      clearTimeout(silence);
    }
  };
  const heart = setInterval(() => {
    beat().catch((error: unknown) => {
      onLost(new Unavailable('heartbeat of the leader', { cause: error }));
    });
  }, silenceMsMax / 5);
  const drop = (): void => {
    clearInterval(heart);
    client.drop();
    lookups.drop();
  };
  return {
    head,
    append: (transaction) =>
      client.ask((answer) => {
        answer(server.append(transaction));
      }),
    findAnswers: (commandIds) =>
      lookups.ask((answer) => {
        answer(server.answers(commandIds));
      }),
    readVersions: () =>
      lookups.ask((answer) => {
        answer(new Map(server.tables.streams));
      }),
    confirm: async () => {
      const leads = await lookups.ask<boolean>((answer) => {
        answer(server.tables.head.epoch === head.epoch);
      });
      if (!leads && server.sabotage.trusting !== true) throw new Unavailable('another writer leads');
    },
    resign: () => {
      drop();
      return Promise.resolve();
    },
    abandon: drop,
  };
}

class SimulatedReader implements LedgerReader {
  readonly ledger = LEDGER;
  private client: Client | undefined;

  constructor(
    private readonly server: SimulatedPostgres,
    private readonly network: Network,
    private readonly proc: Proc,
  ) {}

  private ask<T>(look: (tables: Tables) => T): Promise<T> {
    if (!this.server.isUp) return Promise.reject(new Unavailable('read ledger control'));
    if (this.client === undefined) {
      const client = new Client(this.server, this.network, this.proc, () => {
        if (this.client === client) this.client = undefined;
      });
      this.client = client;
    }
    return this.client.ask((answer) => {
      answer(look(this.server.tables));
    });
  }

  head(): Promise<Head> {
    return this.ask(({ head }) => head);
  }

  async *read({ after, upTo = Infinity, pageSize = PAGE_SIZE }: ReadRange): AsyncIterable<readonly StoredEvent[]> {
    for (let from = after; ;) {
      const start = from;
      const events = await this.ask(({ written }) =>
        written
          .slice(start, Math.min(start + pageSize, upTo))
          .map(({ event }) => event)
          .filter(({ position }) => position <= upTo),
      );
      if (events.length > 0) yield events;
      from += events.length;
      if (events.length < pageSize) return;
    }
  }

  readChanges(range: ReadRange): AsyncIterable<readonly StoredEvent[]> {
    return this.read(range);
  }

  readStream(streamId: string): Promise<readonly StoredEvent[]> {
    return this.ask(({ written }) => written.map(({ event }) => event).filter((event) => event.streamId === streamId));
  }

  find(): Promise<never> {
    return Promise.reject(new Error('nobody searches the log in the simulation'));
  }

  positionAt(time: string): Promise<number> {
    return this.ask(({ written }) => written.filter(({ event }) => event.recordedAt <= time).length);
  }

  answerOf(commandId: string): Promise<RecordedAnswer | undefined> {
    return this.ask(({ commands }) => commands.get(commandId));
  }

  latestSnapshot(wanted: { foldVersion: string; atOrBefore?: number }): Promise<Snapshot | undefined> {
    const { foldVersion, atOrBefore = Infinity } = wanted;
    return this.ask(({ snapshots }) =>
      snapshots
        .filter((one) => one.foldVersion === foldVersion && one.position <= atOrBefore)
        .sort((one, other) => other.position - one.position)
        .at(0),
    );
  }

  saveSnapshot({ chunks, ...snapshot }: SnapshotToSave): Promise<void> {
    const texts = chunks.map((chunk) => (typeof chunk === 'string' ? chunk : chunk.text()));
    return this.ask(({ snapshots }) => {
      if (snapshots.some(({ position }) => position === snapshot.position)) return;
      snapshots.push({ ...snapshot, chunks: texts });
    });
  }

  pruneSnapshots(keep: number): Promise<number> {
    return this.ask(({ snapshots }) => {
      snapshots.sort((one, other) => one.position - other.position);
      return snapshots.splice(0, Math.max(0, snapshots.length - keep)).length;
    });
  }

  cursor(name: string): Promise<number> {
    return this.ask(({ cursors }) => cursors.get(name) ?? 0);
  }

  moveCursor(name: string, position: number): Promise<void> {
    return this.ask(() => {
      this.server.moveCursor(name, position);
    });
  }

  close(): Promise<void> {
    this.client?.drop();
    return Promise.resolve();
  }
}
