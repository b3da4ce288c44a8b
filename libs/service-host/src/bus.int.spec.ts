import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNats } from '@brickyard/servers';
import { type Bus, connectBus, createLogger, type DurableMessage, Unavailable } from './index';

const TIMEOUT_MS = 30_000;
const log = createLogger({ service: 'test', level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });
const TASKS = { name: 'TASKS', subjects: ['agents.*.tasks'], retention: 'workqueue' } as const;
const AGENT = { stream: 'TASKS', consumer: 'agent-a', filter: 'agents.a.tasks', concurrency: 4, ackWaitMs: 2_000 };

/** Something a test waits for until it holds; checked whenever `check` is called. */
function watch(): { readonly until: (holds: () => boolean) => Promise<void>; readonly check: () => void } {
  const waiting = new Set<{ holds: () => boolean; resolve: () => void }>();
  const check = (): void => {
    for (const one of waiting) {
      if (!one.holds()) continue;
      waiting.delete(one);
      one.resolve();
    }
  };
  return {
    check,
    until: (holds) =>
      new Promise((resolve) => {
        waiting.add({ holds, resolve });
        check();
      }),
  };
}

/** A promise and what resolves it. */
function gate<T = undefined>(): readonly [Promise<T>, (value: T) => void] {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => (open = resolve));
  return [promise, open];
}

/** Publishes bytes as they are, which the bus itself would not do. */
async function publishRaw(subject: string, text: string): Promise<void> {
  const socket = connect(server.port, '127.0.0.1');
  const size = String(Buffer.byteLength(text));
  socket.write(`CONNECT {"verbose":false}\r\nPUB ${subject} ${size}\r\n${text}\r\nPING\r\n`);
  for await (const chunk of socket) if (String(chunk).includes('PONG')) break;
  socket.destroy();
}

/** Seconds of CPU time of this process so far: elapsed time tells more about what else the machine does. */
function stopwatch(): (what: string, count: number) => number {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  return (what, count) => {
    const { user, system } = process.cpuUsage(cpu);
    const elapsed = count / ((performance.now() - started) / 1_000);
    if (log.level !== 'silent') process.stdout.write(`${what}: ${elapsed.toFixed(0)}/s elapsed\n`);
    return (user + system) / 1_000_000;
  };
}

async function streamState(bus: Bus): Promise<{ readonly messages: number; readonly first_seq: number }> {
  const info = await bus.request('$JS.API.STREAM.INFO.TASKS', {}, { timeoutMs: 5_000 });
  return (info as { state: { messages: number; first_seq: number } }).state;
}

let folder: string;
let server: NatsServer;
let buses: Bus[];

async function open(name = 'test'): Promise<Bus> {
  const bus = await connectBus({ url: server.url, name, log });
  buses.push(bus);
  return bus;
}

async function crash(): Promise<void> {
  const lost = Promise.all(buses.map((bus) => new Promise<void>((resolve) => bus.onDisconnected(resolve))));
  server.kill();
  await lost;
  await server.stop(); // Until the process is really gone.
}

async function restart({ wiped = false } = {}): Promise<void> {
  const back = Promise.all(buses.map((bus) => new Promise<void>((resolve) => bus.onConnected(resolve))));
  if (wiped) rmSync(folder, { recursive: true });
  server = await startNats({ storeDir: folder, port: server.port });
  await back;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'brickyard-bus-'));
  server = await startNats({ storeDir: folder });
  buses = [];
}, TIMEOUT_MS);

afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.drain()));
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

describe('request', () => {
  it('brings the answer, and the failure of a responder as what it is', async () => {
    const [client, service] = [await open('client'), await open('service')];
    service.respond('echo', (payload, subject) => Promise.resolve({ payload, subject }));
    service.respond('busy', () => Promise.reject(new Unavailable('queue is full', { retryAfterMs: 70 })));
    service.respond('broken', () => Promise.reject(new TypeError('x is not a function')));
    await expect(service.request('echo', 1, { timeoutMs: 5_000 })).resolves.toEqual({ payload: 1, subject: 'echo' });
    await expect(client.request('echo', { a: [1, 'ü'] }, { timeoutMs: 5_000 })).resolves.toEqual({
      payload: { a: [1, 'ü'] },
      subject: 'echo',
    });
    const busy: unknown = await client.request('busy', {}, { timeoutMs: 5_000 }).catch((error: unknown) => error);
    expect(busy).toBeInstanceOf(Unavailable);
    expect(busy).toMatchObject({ message: 'queue is full', retryAfterMs: 70 });
    const broken: unknown = await client.request('broken', {}, { timeoutMs: 5_000 }).catch((error: unknown) => error);
    expect(broken).not.toBeInstanceOf(Unavailable);
    expect(broken).toMatchObject({ message: expect.stringContaining('x is not a function') as string });
  });

  it('is refused at once when nobody answers, and after its time when somebody is too slow', async () => {
    const bus = await open();
    const started = performance.now();
    await expect(bus.request('nobody', {}, { timeoutMs: 20_000 })).rejects.toThrow(Unavailable);
    expect(performance.now() - started).toBeLessThan(2_000);
    const [held, letGo] = gate();
    bus.respond('slow', () => held);
    await expect(bus.request('slow', {}, { timeoutMs: 50 })).rejects.toThrow(/no answer within 50 ms/);
    letGo(undefined);
  });

  it(
    'is refused at once while there is no connection, also when it was under way',
    async () => {
      const bus = await open();
      const [arrived, arrive] = gate();
      const [held, letGo] = gate();
      bus.respond('slow', () => {
        arrive(undefined);
        return held;
      });
      const underWay = bus.request('slow', {}, { timeoutMs: 20_000 }).catch((error: unknown) => error);
      await arrived;
      await crash();
      expect(await underWay).toBeInstanceOf(Unavailable);
      expect(bus.connected).toBe(false);
      await expect(bus.request('slow', {}, { timeoutMs: 20_000 })).rejects.toThrow(/not connected/);
      letGo(undefined);
      await restart();
      expect(bus.connected).toBe(true);
      bus.respond('echo', (payload) => Promise.resolve(payload));
      await expect(bus.request('echo', 7, { timeoutMs: 5_000 })).resolves.toBe(7);
    },
    TIMEOUT_MS,
  );

  it('is refused with a time to retry when a responder has enough to do', async () => {
    const bus = await open();
    const [held, letGo] = gate<string>();
    bus.respond('narrow', () => held, { concurrency: 2 });
    const first = [1, 2].map(() => bus.request('narrow', {}, { timeoutMs: 20_000 }));
    await expect(bus.request('narrow', {}, { timeoutMs: 20_000 })).rejects.toMatchObject({ retryAfterMs: 1_000 });
    letGo('done');
    expect(await Promise.all(first)).toEqual(['done', 'done']);
  });
});

describe('publish', () => {
  it('reaches every subscriber until the subscription is closed; a handler that throws harms nobody', async () => {
    const [sender, receiver] = [await open('sender'), await open('receiver')];
    const { until, check } = watch();
    const seen: unknown[] = [];
    receiver.subscribe('agents.*.facts', () => {
      throw new Error('broken subscriber');
    });
    const subscription = receiver.subscribe('agents.*.facts', (payload, subject) => {
      seen.push([subject, payload]);
      check();
    });
    receiver.respond('sync', () => Promise.resolve('there'));
    await receiver.request('sync', {}, { timeoutMs: 5_000 }); // Whatever it sent before is in force at the server now.
    sender.publish('agents.a.facts', { up: true });
    await until(() => seen.length === 1);
    expect(seen).toEqual([['agents.a.facts', { up: true }]]);
    await subscription.close();
    sender.publish('agents.a.facts', { up: false });
    await sender.request('sync', {}, { timeoutMs: 5_000 });
    expect(seen).toHaveLength(1);
  });
});

describe('publishDurable', () => {
  it('stores a message id once and says so', async () => {
    const bus = await open();
    await bus.ensureStream({ name: 'EVENTS', subjects: ['events.>'], retention: 'limits', maxAgeMs: 60_000 });
    const publish = (): Promise<{ duplicate: boolean }> =>
      bus.publishDurable('events.control', 1, { messageId: 'control-1' });
    expect([await publish(), await publish()]).toEqual([{ duplicate: false }, { duplicate: true }]);
  });

  it('is refused at once when no stream takes the subject, and when the stream is full', async () => {
    const bus = await open();
    await expect(bus.publishDurable('agents.a.tasks', {}, { messageId: '1' })).rejects.toThrow(Unavailable);
    await bus.ensureStream({ ...TASKS, maxBytes: 4_096 });
    const attempts = Array.from({ length: 64 }, (_, n) =>
      bus.publishDurable('agents.a.tasks', 'x'.repeat(256), { messageId: String(n) }).catch((error: unknown) => error),
    );
    const refused = (await Promise.all(attempts)).filter((result) => result instanceof Unavailable);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(64);
  });

  it(
    'takes more than 5,000 messages a second of CPU time',
    async () => {
      const bus = await open();
      await bus.ensureStream({ name: 'EVENTS', subjects: ['events.>'], retention: 'limits' });
      const payload = { type: 'BrickPlanned', data: 'x'.repeat(400) };
      const batch = (from: number, count: number): Promise<unknown> =>
        Promise.all(
          Array.from({ length: count }, (_, n) =>
            bus.publishDurable('events.control', payload, { messageId: `control-${String(from + n)}` }),
          ),
        );
      await batch(0, 2_000); // Compiled code and a grown file.
      const spent = stopwatch();
      await batch(2_000, 20_000);
      expect(20_000 / spent('publishDurable', 20_000)).toBeGreaterThan(5_000);
    },
    TIMEOUT_MS,
  );
});

describe('ensureStream', () => {
  it('changes nothing when repeated, and changes what differs', async () => {
    const bus = await open();
    await Promise.all([bus.ensureStream(TASKS), (await open('other')).ensureStream(TASKS)]);
    await bus.publishDurable('agents.a.tasks', 1, { messageId: '1' });
    await bus.ensureStream(TASKS);
    await bus.ensureStream({ ...TASKS, subjects: ['agents.*.tasks', 'agents.*.more'] });
    await expect(bus.publishDurable('agents.a.more', 1, { messageId: '2' })).resolves.toEqual({ duplicate: false });
    await expect(bus.publishDurable('agents.a.tasks', 1, { messageId: '1' })).resolves.toEqual({ duplicate: true });
  });
});

describe('consume', () => {
  it('hands over what waits, with its trace, and acknowledges it for good', async () => {
    const bus = await open();
    const { until, check } = watch();
    const seen: DurableMessage[] = [];
    await bus.ensureStream(TASKS);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await bus.publishDurable('agents.a.tasks', { task: 1 }, { messageId: '1', traceparent });
    await bus.publishDurable('agents.b.tasks', { task: 2 }, { messageId: '2' });
    await bus.consume(AGENT, (message) => {
      seen.push(message);
      check();
      return Promise.resolve();
    });
    await until(() => seen.length === 1);
    expect(seen).toEqual([{ subject: 'agents.a.tasks', payload: { task: 1 }, redelivered: false, traceparent }]);
    await bus.drain();
    const again: unknown[] = [];
    const later = await open();
    await later.consume({ ...AGENT, consumer: 'agent-b', filter: 'agents.b.tasks' }, (message) => {
      again.push(message.payload);
      check();
      return Promise.resolve();
    });
    await later.consume(AGENT, (message) => Promise.resolve(again.push(message.payload)).then(check));
    await later.publishDurable('agents.a.tasks', { task: 3 }, { messageId: '3' });
    await until(() => again.length === 2);
    expect(again).toEqual(expect.arrayContaining([{ task: 2 }, { task: 3 }]));
  });

  it('brings a message again that its handler rejected, and gives up one that is not JSON', async () => {
    const bus = await open();
    const { until, check } = watch();
    const seen: boolean[] = [];
    await bus.ensureStream(TASKS);
    await bus.consume(AGENT, ({ redelivered }) => {
      seen.push(redelivered);
      check();
      return seen.length < 3 ? Promise.reject(new Unavailable('glusterd', { retryAfterMs: 20 })) : Promise.resolve();
    });
    await publishRaw('agents.a.tasks', '{"half":');
    await bus.publishDurable('agents.a.tasks', 1, { messageId: '1' });
    await until(() => seen.length === 3);
    expect(seen).toEqual([false, true, true]);
  });

  it(
    'keeps to its concurrency and does not deliver a message again while its handler runs',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      await bus.ensureStream(TASKS);
      const gates: (() => void)[] = [];
      let [running, most, deliveries] = [0, 0, 0];
      const redelivered: unknown[] = [];
      await bus.consume({ ...AGENT, concurrency: 3, ackWaitMs: 1_000 }, async (message) => {
        deliveries += 1;
        running += 1;
        most = Math.max(most, running);
        if (message.redelivered) redelivered.push(message.payload);
        await new Promise<void>((resolve) => {
          gates.push(resolve);
          check();
        });
        running -= 1;
      });
      await Promise.all(
        Array.from({ length: 10 }, (_, n) => bus.publishDurable('agents.a.tasks', n, { messageId: String(n) })),
      );
      await until(() => gates.length === 3);
      // Another consumer of this server counts the time: a message left alone is back after one second.
      await bus.ensureStream({ name: 'CLOCK', subjects: ['clock'], retention: 'workqueue' });
      await bus.publishDurable('clock', 0, { messageId: '0' });
      let ticks = 0;
      const clock = await bus.consume(
        { stream: 'CLOCK', consumer: 'clock', filter: 'clock', concurrency: 4, ackWaitMs: 1_000 },
        () => {
          ticks += 1;
          check();
          return ticks > 3 ? Promise.resolve() : Promise.reject(new Unavailable('tick', { retryAfterMs: 700 }));
        },
      );
      await until(() => ticks > 3);
      expect(deliveries).toBe(3);
      for (let released = 0; released < 10; released += 1) {
        await until(() => gates.length > released);
        gates[released]?.();
      }
      await until(() => gates.length === 10);
      await clock.close();
      expect([most, redelivered]).toEqual([3, []]);
    },
    TIMEOUT_MS,
  );

  it(
    'drains more than 3,000 messages a second of CPU time',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      await bus.ensureStream(TASKS);
      const count = 10_000;
      await Promise.all(
        Array.from({ length: count }, (_, n) => bus.publishDurable('agents.a.tasks', n, { messageId: String(n) })),
      );
      const seen = new Set<unknown>();
      let deliveries = 0;
      const spent = stopwatch();
      await bus.consume({ ...AGENT, concurrency: 64 }, ({ payload }) => {
        seen.add(payload);
        deliveries += 1;
        if (seen.size === count) check();
        return Promise.resolve();
      });
      await until(() => seen.size === count);
      expect(deliveries).toBe(count);
      expect(count / spent('consume', count)).toBeGreaterThan(3_000);
    },
    TIMEOUT_MS,
  );

  it(
    'goes on after nats-server was killed and started again',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      const seen: unknown[] = [];
      await bus.ensureStream(TASKS);
      await bus.consume(AGENT, ({ payload }) => {
        seen.push(payload);
        check();
        return Promise.resolve();
      });
      await bus.publishDurable('agents.a.tasks', 'before', { messageId: 'before' });
      await until(() => seen.length === 1);
      await crash();
      await expect(bus.publishDurable('agents.a.tasks', 'lost', { messageId: 'lost' })).rejects.toThrow(Unavailable);
      await restart();
      await bus.ensureStream(TASKS);
      await bus.publishDurable('agents.a.tasks', 'after', { messageId: 'after' });
      await until(() => seen.includes('after'));
      expect(seen.filter((payload) => payload === 'after')).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  it(
    'acknowledges work that went on while nats-server was away',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      await bus.ensureStream(TASKS);
      const [held, letGo] = gate();
      const seen: unknown[] = [];
      await bus.consume({ ...AGENT, concurrency: 1 }, ({ payload }) => {
        seen.push(payload);
        check();
        return payload === 'long' ? held : Promise.resolve();
      });
      await bus.publishDurable('agents.a.tasks', 'long', { messageId: 'long' });
      await until(() => seen.length === 1);
      await crash();
      letGo(undefined);
      await restart();
      await bus.ensureStream(TASKS);
      await bus.publishDurable('agents.a.tasks', 'next', { messageId: 'next' });
      await until(() => seen.includes('next'));
      expect(seen).toEqual(['long', 'next']);
    },
    TIMEOUT_MS,
  );

  it(
    'goes on in an emptied JetStream, and a late acknowledgement takes no new message with it',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      const [oldHeld, endOld] = gate();
      const [newHeld, endNew] = gate();
      const held: Record<string, Promise<undefined>> = { old: oldHeld, new: newHeld };
      const [seen, done]: [unknown[], unknown[]] = [[], []];
      const own = async (): Promise<void> => {
        await bus.ensureStream(TASKS);
        await bus.consume({ ...AGENT, concurrency: 2 }, async ({ payload }) => {
          seen.push(payload);
          check();
          await held[String(payload)];
          done.push(payload);
          check();
        });
      };
      await own();
      await bus.publishDurable('agents.a.tasks', 'old', { messageId: 'old' });
      await until(() => seen.length === 1);
      await crash();
      await restart({ wiped: true });
      await own();
      await bus.publishDurable('agents.a.tasks', 'new', { messageId: 'new' });
      await until(() => seen.length === 2);
      endOld(undefined); // Its numbers in the lost store are those of 'new' in this one.
      await until(() => done.length === 1);
      await bus.publishDurable('agents.a.tasks', 'newer', { messageId: 'newer' });
      await until(() => done.length === 2);
      expect(done).toEqual(['old', 'newer']);
      // 'new' has the first number of this store, as 'old' had in the lost one.
      let state = await streamState(bus);
      while (state.messages > 1) state = await streamState(bus);
      expect(state).toMatchObject({ messages: 1, first_seq: 1 });
      endNew(undefined);
    },
    TIMEOUT_MS,
  );

  it(
    'takes up work again by itself once the owner has made the stream anew',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      const seen: unknown[] = [];
      await bus.ensureStream(TASKS);
      await bus.consume(AGENT, ({ payload }) => Promise.resolve(seen.push(payload)).then(check));
      await crash();
      await restart({ wiped: true });
      await bus.ensureStream(TASKS);
      await bus.publishDurable('agents.a.tasks', 1, { messageId: '1' });
      await until(() => seen.length === 1);
      expect(seen).toEqual([1]);
    },
    TIMEOUT_MS,
  );

  it('is refused when there is no such stream, and replaces an earlier call for the same consumer', async () => {
    const bus = await open();
    await expect(bus.consume(AGENT, () => Promise.resolve())).rejects.toThrow(/stream not found/);
    await bus.ensureStream(TASKS);
    const { until, check } = watch();
    const [first, second]: [unknown[], unknown[]] = [[], []];
    const old = await bus.consume(AGENT, ({ payload }) => Promise.resolve(first.push(payload)).then(check));
    await bus.consume(AGENT, ({ payload }) => Promise.resolve(second.push(payload)).then(check));
    await old.close();
    await bus.publishDurable('agents.a.tasks', 1, { messageId: '1' });
    await until(() => second.length === 1);
    expect(first).toEqual([]);
  });
});

describe('drain', () => {
  it(
    'waits for running handlers, acknowledges them, and takes nothing new',
    async () => {
      const bus = await open();
      const { until, check } = watch();
      await bus.ensureStream(TASKS);
      const [held, letGo] = gate();
      const seen: unknown[] = [];
      await bus.consume({ ...AGENT, concurrency: 1 }, async ({ payload }) => {
        seen.push(payload);
        check();
        await held;
      });
      bus.respond('slow', async () => {
        seen.push('request');
        check();
        await held;
        return 'answered';
      });
      await Promise.all(['one', 'two'].map((id) => bus.publishDurable('agents.a.tasks', id, { messageId: id })));
      const other = await open('other');
      const answer = other.request('slow', {}, { timeoutMs: 20_000 });
      await until(() => seen.length === 2);
      let isDrained = false;
      const drained = bus.drain().then(() => (isDrained = true));
      // The server may hear of the end only after the first requests have come.
      for (let refusal = ''; !refusal.includes('nobody is there');) {
        refusal = await other.request('slow', {}, { timeoutMs: 200 }).then(String, String);
      }
      expect(isDrained).toBe(false);
      letGo(undefined);
      await drained;
      expect(await answer).toBe('answered');
      expect(bus.connected).toBe(false);
      const rest: unknown[] = [];
      await other.consume(AGENT, ({ payload }) => Promise.resolve(rest.push(payload)).then(check));
      await until(() => rest.length === 1);
      expect([new Set(seen), rest]).toEqual([new Set(['one', 'request']), ['two']]);
    },
    TIMEOUT_MS,
  );
});
