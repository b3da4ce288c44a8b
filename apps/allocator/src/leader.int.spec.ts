import { randomBytes } from 'node:crypto';
import {
  outcomesOf,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksIn,
  TaskEnvelope,
  SIMULATED_TASK_CONSUMER,
  type ControlCommand,
  type TaskOutcome,
} from '@brickyard/contracts';
import { FOLD_VERSION } from '@brickyard/domain';
import { addDevice, addNode, createVolume, id, obedient } from '@brickyard/domain/testing';
import { verifyChain } from '@brickyard/event-sourcing';
import { migrate, openLedgerReader, postgresStorage, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase, startNats, type NatsServer } from '@brickyard/servers';
import { connectBus, createLogger, type Bus } from '@brickyard/service-host';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { lead, type Leadership } from './leader';
import { followLedger } from './ledger-follower';

const log = createLogger({ service: 'allocator-spec', level: 'silent' });
let pgUrl: string;
let nats: NatsServer;
let storeDir: string;
let ends: (() => Promise<unknown>)[];

beforeEach(async () => {
  ends = [];
  pgUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '');
  await migrate(pgUrl);
  storeDir = await mkdtemp(join(tmpdir(), 'brickyard-allocator-'));
  nats = await startNats({ storeDir });
});

afterEach(async () => {
  for (const end of ends.reverse()) await end();
  await nats.stop();
  await dropDatabase(pgUrl);
  await rm(storeDir, { recursive: true, force: true });
});

async function connected(name: string): Promise<Bus> {
  const bus = await connectBus({ url: nats.url, name, log });
  ends.push(() => bus.drain());
  return bus;
}

function openReader(): LedgerReader {
  const reader = openLedgerReader({ url: pgUrl, ledger: 'control', role: 'writer' });
  ends.push(() => reader.close());
  return reader;
}

/** One allocator; `lost` resolves when it loses its lead. */
async function allocator(name: string) {
  const [bus, reader, ending] = [await connected(name), openReader(), new AbortController()];
  const follower = await followLedger(reader, bus, log);
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => (lose = resolve));
  const leading = lead({
    storage: postgresStorage({ url: pgUrl, ledger: 'control' }),
    reader,
    bus,
    log,
    follower,
    lostAfterMs: 60_000,
    snapshotEvents: 20,
    healPolicy: 'none',
    signal: ending.signal,
    onLost: (error) => {
      lose(error);
    },
  }).then(async (leadership) => {
    await bus.published(); // Who asks over another connection is heard from now on.
    return leadership;
  });
  leading.catch(() => undefined);
  const stop = async (): Promise<void> => {
    ending.abort(new Error('the spec is over'));
    await leading.then((leadership) => leadership.stop()).catch(() => undefined);
  };
  ends.push(stop);
  return { leading, lost, follower, reader };
}

/** Agents at the other end of the bus, for every host: they do what they are told and count how often. */
async function agents(done: Map<string, number>): Promise<void> {
  const bus = await connected('agents');
  const subscription = await bus.consume(
    { stream: TASKS_STREAM, consumer: SIMULATED_TASK_CONSUMER, filter: TASKS_ALL, concurrency: 8, ackWaitMs: 10_000 },
    async ({ payload }) => {
      for (const task of tasksIn(payload).map((each) => TaskEnvelope.parse(each))) {
        done.set(task.taskId, (done.get(task.taskId) ?? 0) + 1);
        const outcome: TaskOutcome = {
          taskId: task.taskId,
          operationId: task.operationId,
          host: task.host,
          tookMs: 1,
          outcome: obedient()(task),
        };
        await bus.publishDurable(outcomesOf(task.host), outcome, { messageId: task.taskId });
      }
    },
  );
  ends.push(() => subscription.close());
}

const submit = ({ writer }: Leadership, command: ControlCommand, commandId?: string) =>
  writer.submit({
    command,
    ...(commandId === undefined ? {} : { commandId }),
    metadata: { correlationId: randomBytes(4).toString('hex'), actor: { name: 'spec' } },
  });

/** Resolves when the writer's state is as wanted; looks again at every commit that the reader sees. */
async function until(leadership: Leadership, wanted: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!wanted()) {
    if (Date.now() > deadline)
      throw new Error(`not reached; ${String(leadership.writer.state.operations.size)} operations wait`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A cluster of three nodes with a device each. */
async function prepareCluster(leadership: Leadership): Promise<void> {
  await submit(leadership, { type: 'CreateCluster', clusterId: id('c1') as never, flags: { file: true, block: true } });
  for (const number of [1, 2, 3]) {
    await submit(leadership, addNode(number, number));
    await until(leadership, () => leadership.writer.state.operations.size === 0);
    await submit(leadership, addDevice(number, 1));
  }
  await until(leadership, () => leadership.writer.state.operations.size === 0);
}

describe('the leading allocator', () => {
  it('takes a volume from the command to ready through the agents’ queues, each task done once', async () => {
    const { leading } = await allocator('one');
    const leadership = await leading;
    const done = new Map<string, number>();
    await agents(done);
    await prepareCluster(leadership);
    const { reply } = await submit(leadership, createVolume('data', 1));
    expect(reply.kind).toBe('accepted');
    await until(leadership, () => [...leadership.writer.state.volumes.values()][0]?.status === 'ready');
    expect([...done.values()].every((times) => times === 1)).toBe(true);
  });

  it('answers the same command id with the first answer, also after a standby took over', async () => {
    const first = await allocator('first');
    const second = await allocator('second');
    const leadership = await first.leading;
    await agents(new Map());
    await prepareCluster(leadership);
    const command = createVolume('data', 1);
    const answer = await submit(leadership, command, 'the-key');
    await endSession();
    await first.lost;
    const next = await second.leading;
    expect(next.writer.epoch).toBeGreaterThan(leadership.writer.epoch);
    const again = await submit(next, { ...createVolume('data', 1), volumeId: id('other') as never }, 'the-key');
    expect(again).toEqual({ ...answer, repeated: true });
    await until(next, () => [...next.writer.state.volumes.values()][0]?.status === 'ready');
    expect(next.writer.state.volumes.size).toBe(1);
    await expect(submit(leadership, createVolume('late', 1))).rejects.toThrow();
  });

  it('goes on where the last one stopped when tasks and outcomes were lost with the queue', async () => {
    const first = await allocator('first');
    const leadership = await first.leading;
    await submit(leadership, {
      type: 'CreateCluster',
      clusterId: id('c1') as never,
      flags: { file: true, block: true },
    });
    await submit(leadership, addNode(1, 1)); // Nobody consumes: the task waits in the queue.
    const { port } = nats;
    nats.kill();
    await rm(storeDir, { recursive: true, force: true });
    nats = await startNats({ storeDir, port });
    const done = new Map<string, number>();
    await agentsWhenStreamIsBack(done);
    await until(leadership, () => leadership.writer.state.operations.size === 0);
    expect(leadership.writer.state.nodes.get(id('a1') as never)?.lifecycle).toBe('ready');
  });

  it('tells agents which tasks are still wanted', async () => {
    const { leading } = await allocator('one');
    const leadership = await leading;
    await submit(leadership, {
      type: 'CreateCluster',
      clusterId: id('c1') as never,
      flags: { file: true, block: true },
    });
    await submit(leadership, addNode(1, 1));
    const [operation] = [...leadership.writer.state.operations.values()];
    const [taskId] = [...(operation?.current?.tasks.keys() ?? [])];
    const question = { taskId, operationId: operation?.operationId };
    const bus = await connected('an agent');
    const ask = () => bus.request(TASKS_WANTED, question, { timeoutMs: 2_000 });
    expect(await ask()).toMatchObject({ wanted: true });
    await submit(leadership, { type: 'DeclareNodeLost', nodeId: id('a1') as never, silentSince: 'then' });
    expect(await ask()).toMatchObject({ wanted: false });
  });

  it('does not call a task unwanted once it has been taken over: it cannot know what its successor planned', async () => {
    const { leading, lost } = await allocator('one');
    await leading;
    const bus = await connected('an agent');
    const question = { taskId: `${id('0fe1')}.0.act.1.0`, operationId: id('0fe1') };
    const ask = () => bus.request(TASKS_WANTED, question, { timeoutMs: 2_000 });
    expect(await ask()).toMatchObject({ wanted: false });
    const client = new Client({ connectionString: pgUrl });
    await client.connect();
    await client.query('UPDATE es.heads SET epoch = epoch + 1'); // What a successor does first.
    await client.end();
    await expect(ask()).rejects.toThrow('not the leader any more');
    await lost;
  });

  it('starts from its snapshot with the state that all events give', async () => {
    const first = await allocator('first');
    const leadership = await first.leading;
    await agents(new Map());
    await prepareCluster(leadership);
    for (const name of ['a', 'b', 'c', 'd']) await submit(leadership, createVolume(name, 1));
    await until(leadership, () => leadership.writer.state.operations.size === 0);
    const { writer } = leadership;
    await leadership.stop();
    const snapshot = await first.reader.latestSnapshot({ foldVersion: FOLD_VERSION });
    expect(snapshot?.position).toBeGreaterThan(20);
    const second = await allocator('second');
    const next = await second.leading;
    expect(next.writer.position).toBe(writer.position);
    expect(next.writer.state).toEqual(writer.state);
    const events = [];
    for await (const batch of second.reader.read({ after: 0 })) events.push(...batch);
    expect(verifyChain(events)).toBeUndefined();
  });
});

/** Agents that come up as soon as the allocator has made the streams again. */
async function agentsWhenStreamIsBack(done: Map<string, number>): Promise<void> {
  for (;;) {
    try {
      await agents(done);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)); // The stream is being made; there is no event for it.
    }
  }
}

/** Ends the leader's Postgres session, as a broken network would. */
async function endSession(): Promise<void> {
  const client = new Client({ connectionString: pgUrl });
  await client.connect();
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  await client.end();
}
