/** The log of a simulated process: the client's side of the model of Postgres, over connections that may end. */
import { Unavailable, type StoredEvent } from '@brickyard/event-sourcing';
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
} from '@brickyard/event-sourcing/postgres';
import type { Proc } from './kernel';
import type { Link, Network } from './network';
import { LEDGER, POSTGRES, type SimulatedPostgres, type Tables } from './postgres';

const SILENCE_MS_MAX = 15_000;
const PAGE_SIZE = 1_000;

/** As one process reaches it. */
export const ledgerStorageOf = (server: SimulatedPostgres, network: Network, proc: Proc): LedgerStorage => ({
  ledger: LEDGER,
  lead: (candidacy, onLost) => lead(server, network, proc, candidacy, onLost),
  openReader: () => new SimulatedReader(server, network, proc),
  openCheckpointTable: () => {
    throw new Error('the simulation signs nothing');
  },
});

async function lead(
  server: SimulatedPostgres,
  network: Network,
  proc: Proc,
  { signal, silenceMsMax = SILENCE_MS_MAX }: Candidacy,
  onLost: (error: Error) => void,
): Promise<Leadership> {
  signal?.throwIfAborted();
  if (!server.isUp || !network.canReach(proc, POSTGRES)) throw new Unavailable('connection refused');
  const session = server.newSession();
  const client = new Client(server, network, proc, onLost, () => {
    server.release(session);
  });
  const lookups = new Client(server, network, proc, onLost);
  signal?.addEventListener('abort', () => {
    client.drop();
    lookups.drop();
  });
  const head = await client.ask<Head>((answer) => {
    server.waitForLead(session, answer);
  });
  return leadershipOn({ head, client, lookups, silenceMsMax, onLost }, server);
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
