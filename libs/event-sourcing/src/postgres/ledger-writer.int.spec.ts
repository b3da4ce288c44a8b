import { dropDatabase } from '@brickyard/servers';
import { Defect, Overloaded, Unavailable } from '../event-log';
import { verifyChain, verifyEnd } from '../hash-chain';
import {
  add,
  decide,
  evolve,
  INITIAL,
  metadata,
  openTally,
  readAll,
  sql,
  tallyDatabase,
  withId,
  withReader,
} from './tally.spec-ledger';

let url: string;

beforeEach(async () => {
  url = await tallyDatabase();
});

afterEach(async () => {
  await dropDatabase(url);
});

/** Ends the session that holds the writer's lock, as a network that drops it would. */
async function endLeader(): Promise<void> {
  await sql(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
}

describe('LedgerWriter', () => {
  it('gives concurrent commands positions without gaps, in a chain that verifies', async () => {
    const { writer, committed } = await openTally(url);
    const answers = await Promise.all(
      Array.from({ length: 1_500 }, (_, index) =>
        writer.submit({ command: add(`s-${String(index % 7)}`, 1, index), metadata }),
      ),
    );
    expect(new Set(answers.map(({ position }) => position)).size).toBe(1_500);
    expect(answers.every(({ repeated }) => !repeated)).toBe(true);
    await withReader(url, async (reader) => {
      const events = await readAll(reader);
      expect(events).toEqual(committed);
      expect(JSON.stringify(events) === JSON.stringify(committed)).toBe(true); // Keys in the same order, live and replayed.
      expect(verifyChain(events)).toBeUndefined();
      const head = await reader.head();
      expect(verifyEnd({ position: events.length, hash: events.at(-1)?.hash ?? '' }, head)).toBeUndefined();
      expect(head).toMatchObject({ position: 3_000, epoch: 1 });
      expect(events.reduce(evolve, INITIAL)).toEqual(writer.state);
      const stream = await reader.readStream('s-3');
      expect(stream.map(({ streamVersion }) => streamVersion)).toEqual(stream.map((_, index) => index + 1));
    });
    await writer.close();
  });

  it('decides each command on the state after every earlier one, and answers in that order', async () => {
    const { writer } = await openTally(url);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => writer.submit({ command: add('s', 1), metadata })),
    );
    expect(answers.map(({ reply }) => reply.total)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    await writer.close();
  });

  it('answers a refusal only after the events it was decided upon are committed', async () => {
    const { writer, committed } = await openTally(url);
    const seen: number[] = [];
    await Promise.all([
      writer.submit({ command: add('s', 5), metadata }),
      writer.submit({ command: { kind: 'refuse' }, metadata }).then(({ reply, position }) => {
        seen.push(reply.total, position, committed.length);
      }),
    ]);
    expect(seen).toEqual([5, 1, 1]);
    await writer.close();
  });

  it('gives the same id one effect and everybody the first answer', async () => {
    const { writer } = await openTally(url);
    const [first, second] = await Promise.all([
      writer.submit(withId('id-1', add('s', 1))),
      writer.submit(withId('id-1', add('s', 1))),
      writer.submit(withId('id-2', add('s', 10))),
    ]);
    const later = await writer.submit(withId('id-1', add('s', 1)));
    expect(first).toEqual({ reply: { total: 1 }, position: 1, repeated: false });
    expect(second).toEqual({ ...first, repeated: true });
    expect(later).toEqual({ ...first, repeated: true });
    expect(writer.position).toBe(2);
    await withReader(url, async (reader) => {
      expect(await reader.answerOf('id-1')).toEqual({ reply: { total: 1 }, position: 1 });
      expect(await reader.answerOf('id-3')).toBeUndefined();
    });
    await writer.close();
  });

  it('remembers ids over a change of leader, and folds the ledger from where the new one restores', async () => {
    const first = await openTally(url);
    await first.writer.submit(withId('id-1', add('s', 1)));
    const half = { state: first.writer.state, position: first.writer.position };
    await first.writer.submit(withId('id-2', add('s', 2)));
    await first.writer.close();
    const { writer } = await openTally(url, { restore: () => Promise.resolve(half) });
    expect(writer.epoch).toBe(2);
    expect(writer.state).toEqual({ total: 3, count: 2 });
    expect(await writer.submit(withId('id-2', add('s', 2)))).toEqual({
      reply: { total: 3 },
      position: 2,
      repeated: true,
    });
    expect((await writer.submit({ command: add('s', 4), metadata })).position).toBe(3);
    await writer.close();
  });

  it('rejects a command whose decision throws, alone', async () => {
    const { writer } = await openTally(url);
    const [left, broken, right] = await Promise.allSettled([
      writer.submit({ command: add('s', 1), metadata }),
      writer.submit({ command: { kind: 'explode' }, metadata }),
      writer.submit({ command: add('s', 1), metadata }),
    ]);
    expect([left.status, right.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(broken).toMatchObject({ status: 'rejected', reason: expect.any(Defect) as Defect });
    expect(writer.state.total).toBe(2);
    await writer.close();
  });

  it('rejects a command that cannot be written as canonical JSON, alone', async () => {
    const { writer } = await openTally(url);
    const results = await Promise.allSettled([
      writer.submit({ command: add('s', 0.5), metadata }),
      writer.submit({ command: add('s', 1), metadata: { ...metadata, correlationId: 'a\0b' } }),
      writer.submit(withId('nul\0', add('s', 1))),
      writer.submit({ command: add('s', 1), metadata }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled']);
    expect(writer.position).toBe(1);
    await writer.close();
  });

  it('finds the commands that Postgres refuses among the others', async () => {
    const { writer, committed, lost } = await openTally(url);
    const poison = 'x'.repeat(501);
    const results = await Promise.allSettled(
      Array.from({ length: 1_200 }, (_, index) =>
        writer.submit(withId(`id-${String(index)}`, add([3, 700, 701].includes(index) ? poison : 's', 1))),
      ),
    );
    const rejected = results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));
    expect(rejected).toEqual([3, 700, 701]);
    expect(results[3]).toMatchObject({ reason: expect.any(Defect) as Defect });
    expect(writer.state).toEqual({ total: 1_197, count: 1_197 });
    expect(verifyChain(committed)).toBeUndefined();
    await writer.close();
    await expect(Promise.race([lost, Promise.resolve('held')])).resolves.toBe('held');
  });

  it('keeps times from going back when the clock does', async () => {
    const times = [5_000, 3_000, 7_000];
    const { writer, committed } = await openTally(url, { clock: () => times.shift() ?? 0 });
    for (const amount of [1, 2, 3]) await writer.submit({ command: add('s', amount), metadata });
    expect(committed.map(({ recordedAt }) => Date.parse(recordedAt))).toEqual([5_000, 5_000, 7_000]);
    await writer.close();
  });

  it('takes no more than it can hold', async () => {
    const { writer } = await openTally(url);
    const results = await Promise.allSettled(
      Array.from({ length: 4_100 }, () => writer.submit({ command: { kind: 'refuse' }, metadata })),
    );
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(reasons).toHaveLength(4);
    expect(reasons[0]).toBeInstanceOf(Overloaded);
    await writer.close();
  });

  it('finishes what waits before it closes, and takes nothing afterwards', async () => {
    const { writer } = await openTally(url);
    const answers = Promise.all(Array.from({ length: 700 }, () => writer.submit({ command: add('s', 1), metadata })));
    await writer.close();
    expect((await answers).at(-1)?.reply).toEqual({ total: 700 });
    await expect(writer.submit({ command: add('s', 1), metadata })).rejects.toBeInstanceOf(Unavailable);
  });

  it('refuses a restored state that is ahead of the ledger', async () => {
    const restore = (): Promise<{ state: typeof INITIAL; position: number }> =>
      Promise.resolve({ state: INITIAL, position: 9 });
    await expect(openTally(url, { restore })).rejects.toThrow(/ahead of the ledger/);
  });
});

describe('leadership', () => {
  it('passes to a waiting standby when the leader closes', async () => {
    const leader = await openTally(url);
    const standby = openTally(url);
    await leader.writer.submit({ command: add('s', 1), metadata });
    await leader.writer.close();
    const { writer } = await standby;
    expect(writer.state.total).toBe(1);
    expect(writer.epoch).toBe(2);
    await writer.close();
  });

  it('stays with a leader that has nothing to do, and passes from one that has stopped', async () => {
    const silenceMsMax = 500;
    const leader = await openTally(url, { silenceMsMax });
    const standby = openTally(url, { silenceMsMax });
    const beats = `SELECT count(*)::int AS n FROM pg_stat_activity
                   WHERE application_name = 'brickyard-writer' AND now() - backend_start > interval '1200 ms'`;
    let old = 0; // Leader, its lookups and the standby, all older than the longest silence.
    while (old < 3) old = (await sql<{ n: number }>(url, `${beats} AND datname = current_database()`))[0]?.n ?? 0;
    await leader.writer.submit({ command: add('s', 1), metadata });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900); // This process stops, as under SIGSTOP.
    const { writer } = await standby;
    expect(await leader.lost).toBeInstanceOf(Unavailable);
    expect(writer).toMatchObject({ epoch: 2, position: 1 });
    await writer.close();
  });

  it('is given up waiting for when asked', async () => {
    const leader = await openTally(url);
    const asked = new AbortController();
    const standby = openTally(url, { signal: asked.signal });
    asked.abort(new Error('enough'));
    await expect(standby).rejects.toThrow('enough');
    await leader.writer.close();
  });

  it('cannot be used after it was taken over: nothing is lost, nothing doubled', async () => {
    const first = await openTally(url);
    const standby = openTally(url);
    const acknowledged: string[] = [];
    const sending = Promise.allSettled(
      Array.from({ length: 3_000 }, async (_, index) => {
        const id = `id-${String(index)}`;
        await first.writer.submit(withId(id, add('s', 1)));
        acknowledged.push(id);
        if (acknowledged.length === 500) await endLeader();
      }),
    );
    const second = await standby;
    const reason = await first.lost;
    expect(reason).toBeInstanceOf(Unavailable);
    await sending;
    expect(acknowledged.length).toBeGreaterThanOrEqual(500);
    await expect(first.writer.submit({ command: add('s', 1), metadata })).rejects.toBeInstanceOf(Unavailable);
    // The clients repeat everything at the new leader.
    const repeats = await Promise.all(
      Array.from({ length: 3_000 }, (_, index) => second.writer.submit(withId(`id-${String(index)}`, add('s', 1)))),
    );
    const repeated = new Set(repeats.flatMap((answer, index) => (answer.repeated ? [`id-${String(index)}`] : [])));
    expect(acknowledged.every((id) => repeated.has(id))).toBe(true);
    expect(second.writer.state).toEqual({ total: 3_000, count: 3_000 });
    await withReader(url, async (reader) => {
      expect(verifyChain(await readAll(reader))).toBeUndefined();
    });
    await second.writer.close();
  });

  it('is fenced by the epoch even when the old leader still has its connection', async () => {
    const old = await openTally(url);
    await sql(url, 'UPDATE es.heads SET epoch = epoch + 1'); // What a successor does first.
    await expect(old.writer.submit({ command: add('s', 1), metadata })).rejects.toBeInstanceOf(Unavailable);
    expect((await old.lost).cause).toMatchObject({ message: 'another writer leads' });
    expect(await sql(url, 'SELECT count(*)::int AS n FROM es.events')).toEqual([{ n: 0 }]);
    expect(await sql(url, 'SELECT count(*)::int AS n FROM es.streams')).toEqual([{ n: 0 }]);
  });

  it('says nothing about its state, not even that a command changes nothing, once another epoch has begun', async () => {
    const old = await openTally(url);
    await expect(old.writer.confirm()).resolves.toBeUndefined();
    await sql(url, 'UPDATE es.heads SET epoch = epoch + 1');
    const asked = [old.writer.confirm(), old.writer.confirm(), old.writer.submit({ command: add('s', 0), metadata })];
    // All at once: one that nobody waits for yet when it is refused would count as unhandled.
    await Promise.all(asked.map((answer) => expect(answer).rejects.toBeInstanceOf(Unavailable)));
    expect((await old.lost).cause).toMatchObject({ message: 'another writer leads' });
    await expect(old.writer.confirm()).rejects.toBeInstanceOf(Unavailable);
  });

  it('steps down when its listener fails, after answering what is committed', async () => {
    const failing = await openTally(url, {
      onCommitted: () => {
        throw new Error('listener');
      },
    });
    await expect(failing.writer.submit({ command: add('s', 1), metadata })).resolves.toMatchObject({ position: 1 });
    expect((await failing.lost).cause).toMatchObject({ cause: { message: 'listener' } });
  });

  it('drops what was decided on a batch that is lost', async () => {
    const { writer, lost, committed } = await openTally(url, { decide: (command, state) => decide(command, state) });
    const sending = Promise.allSettled(
      Array.from({ length: 2_000 }, (_, index) => writer.submit(withId(`id-${String(index)}`, add('s', 1)))),
    );
    await endLeader();
    await lost;
    const results = await sending;
    const accepted = results.filter(({ status }) => status === 'fulfilled').length;
    expect(accepted).toBe(committed.length);
    expect(writer.position).toBe(committed.length);
  });
});
