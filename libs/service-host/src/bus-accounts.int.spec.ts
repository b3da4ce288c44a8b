/** What an intruder who holds one account of the bus can do with it, tried on a real nats-server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BusAccount,
  busUserOf,
  COMMANDS,
  eventsOf,
  EVENTS_ALL,
  EVENTS_STREAM,
  factsOf,
  heartbeatOf,
  type HostName,
  inboxOf,
  LEADER_READY,
  OUTCOMES_ALL,
  OUTCOMES_CONSUMER,
  OUTCOMES_STREAM,
  outcomesOf,
  probeOf,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  taskConsumerOf,
  tasksOf,
} from '@brickyard/contracts';
import { type NatsServer, startNats } from '@brickyard/servers';
import { connect, type NatsConnection, type Status } from 'nats';
import { connectBus } from './bus';
import { natsAuthorization } from './bus-authorization';
import type { Bus } from './bus.port';
import { createLogger } from './logger';

const log = createLogger({ service: 'spec', level: 'silent' });
const A = 'a.example' as HostName;
const B = 'b.example' as HostName;
const accounts: readonly BusAccount[] = [
  { kind: 'allocator' },
  { kind: 'gateway' },
  { kind: 'registry' },
  { kind: 'observer' },
  { kind: 'agent', host: A },
  { kind: 'agent', host: B },
];
const [allocatorAccount, gatewayAccount, registryAccount, observerAccount, agentA, agentB] = accounts as [
  BusAccount,
  BusAccount,
  BusAccount,
  BusAccount,
  BusAccount,
  BusAccount,
];
const passwordOf = (account: BusAccount): string => `password of ${busUserOf(account)}`;

describe('accounts of the bus', () => {
  let server: NatsServer;
  let allocator: Bus;
  const open: Bus[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-accounts-'));

  const as = async (account: BusAccount): Promise<Bus> => {
    const login = { url: server.url, user: busUserOf(account), password: passwordOf(account) };
    const bus = await connectBus({ ...login, name: busUserOf(account), log });
    open.push(bus);
    return bus;
  };

  beforeAll(async () => {
    const config = natsAuthorization(accounts.map((account) => ({ account, password: passwordOf(account) })));
    server = await startNats({ storeDir: folder, config });
    allocator = await as(allocatorAccount);
    await allocator.ensureStream({ name: TASKS_STREAM, subjects: [TASKS_ALL], retention: 'workqueue' });
    await allocator.ensureStream({ name: OUTCOMES_STREAM, subjects: [OUTCOMES_ALL], retention: 'workqueue' });
    await allocator.ensureStream({ name: EVENTS_STREAM, subjects: [EVENTS_ALL], retention: 'limits' });
  });

  afterAll(async () => {
    await Promise.all(open.map((bus) => bus.drain()));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const consumerOptions = (host: HostName) => ({
    stream: TASKS_STREAM,
    consumer: taskConsumerOf(host),
    filter: tasksOf(host),
    concurrency: 1,
    ackWaitMs: 5_000,
  });

  it('let everybody do their work: a task there, its outcome back', async () => {
    const agent = await as(agentA);
    const outcomes: unknown[] = [];
    const heard = new Promise<void>((resolve) => {
      void allocator.consume(
        {
          stream: OUTCOMES_STREAM,
          consumer: OUTCOMES_CONSUMER,
          filter: OUTCOMES_ALL,
          concurrency: 8,
          ackWaitMs: 5_000,
        },
        ({ payload }) => {
          outcomes.push(payload);
          resolve();
          return Promise.resolve();
        },
      );
    });
    const questions = allocator.respond(TASKS_WANTED, () => Promise.resolve({ wanted: true }));
    await agent.consume(consumerOptions(A), async ({ payload }) => {
      const answer = await agent.request(TASKS_WANTED, {}, { timeoutMs: 2_000 });
      await agent.publishDurable(outcomesOf(A), { done: payload, answer }, { messageId: 'outcome-1' });
    });
    await allocator.publishDurable(tasksOf(A), { task: 1 }, { messageId: 'task-1' });
    await heard;
    expect(outcomes).toEqual([{ done: { task: 1 }, answer: { wanted: true } }]);
    await questions.close();
  });

  it('let a gateway command, probe and follow', async () => {
    const [gateway, agent] = await Promise.all([as(gatewayAccount), as(agentA)]);
    const commands = allocator.respond(COMMANDS, (payload) => Promise.resolve({ decided: payload }));
    const probes = agent.respond(probeOf(A), () => Promise.resolve({ alive: true }));
    const followed = new Promise((resolve) => gateway.subscribe(eventsOf('control'), resolve));
    const beaten = new Promise((resolve) => gateway.subscribe(heartbeatOf(A), resolve));
    // What a server has answered for, it knows: the subscriptions are in place before anybody asks.
    await Promise.all([allocator.published(), agent.published(), gateway.published()]);
    expect(await gateway.request(COMMANDS, 'do', { timeoutMs: 2_000 })).toEqual({ decided: 'do' });
    expect(await gateway.request(probeOf(A), {}, { timeoutMs: 2_000 })).toEqual({ alive: true });
    await allocator.publishDurable(eventsOf('control'), { events: [] }, { messageId: 'event-1' });
    agent.publish(heartbeatOf(A), { host: A });
    expect(await Promise.all([followed, beaten])).toEqual([{ events: [] }, { host: A }]);
    await Promise.all([commands.close(), probes.close()]);
  });

  const wire = async (user: string, pass: string): Promise<NatsConnection> =>
    connect({ servers: server.url.slice('nats://'.length), user, pass, reconnect: false, inboxPrefix: inboxOf(user) });

  /** What the server says to an attempt: its refusal, or that nothing came of it. */
  async function refusalOf(account: BusAccount, attempt: (nc: NatsConnection) => void): Promise<string> {
    const nc = await wire(busUserOf(account), passwordOf(account));
    try {
      const statuses = nc.status()[Symbol.asyncIterator]();
      const next = statuses.next();
      attempt(nc);
      const answer = nc.flush().then(() => 'nothing was refused');
      // The server answers in order: a refusal comes before the pong.
      const refusal = next.then((status: IteratorResult<Status, undefined>) =>
        status.value === undefined ? 'closed' : JSON.stringify(status.value),
      );
      return await Promise.race([
        refusal,
        answer.then((text) => new Promise<string>((done) => setImmediate(done, text))),
      ]);
    } finally {
      await nc.close();
    }
  }

  const consumerOf = (stream: string, name: string, filter: string): string =>
    `$JS.API.CONSUMER.CREATE.${stream}.${name}.${filter}`;

  const publishing: [string, BusAccount, string][] = [
    ['an agent: an outcome of another host', agentA, outcomesOf(B)],
    ['an agent: a heartbeat of another host', agentA, heartbeatOf(B)],
    ['an agent: facts of another host', agentA, factsOf(B)],
    ['an agent: a task of its own', agentA, tasksOf(A)],
    ['an agent: a task for another host', agentA, tasksOf(B)],
    ['an agent: a command', agentA, COMMANDS],
    ['an agent: an event', agentA, eventsOf('control')],
    [
      'an agent: a consumer of the tasks of another host',
      agentA,
      consumerOf(TASKS_STREAM, taskConsumerOf(B), tasksOf(B)),
    ],
    ['an agent: its consumer, turned to another host', agentA, consumerOf(TASKS_STREAM, taskConsumerOf(A), tasksOf(B))],
    [
      'an agent: an old kind of consumer',
      agentA,
      `$JS.API.CONSUMER.DURABLE.CREATE.${TASKS_STREAM}.${taskConsumerOf(A)}`,
    ],
    [
      'an agent: a pull in the name of another host',
      agentA,
      `$JS.API.CONSUMER.MSG.NEXT.${TASKS_STREAM}.${taskConsumerOf(B)}`,
    ],
    ['an agent: an acknowledgement for another host', agentA, `$JS.ACK.${TASKS_STREAM}.${taskConsumerOf(B)}.1.1.1.1.0`],
    ['an agent: a message of a stream by number', agentA, `$JS.API.STREAM.MSG.GET.${TASKS_STREAM}`],
    ['an agent: emptying a stream', agentA, `$JS.API.STREAM.PURGE.${TASKS_STREAM}`],
    ['an agent: deleting a stream', agentA, `$JS.API.STREAM.DELETE.${TASKS_STREAM}`],
    ['an agent: an answer to another agent', agentA, `${inboxOf(busUserOf(agentB))}.any.any`],
    ['an agent: an answer to the allocator', agentA, `${inboxOf('allocator')}.any`],
    ['a gateway: an event', gatewayAccount, eventsOf('control')],
    ['a gateway: a task', gatewayAccount, tasksOf(A)],
    ['a gateway: an outcome', gatewayAccount, outcomesOf(A)],
    ['a gateway: word of a new leader', gatewayAccount, LEADER_READY],
    ['a gateway: a consumer of outcomes', gatewayAccount, consumerOf(OUTCOMES_STREAM, OUTCOMES_CONSUMER, OUTCOMES_ALL)],
    ['a gateway: deleting the events', gatewayAccount, `$JS.API.STREAM.DELETE.${EVENTS_STREAM}`],
    ['the registry: an event of the control ledger', registryAccount, eventsOf('control')],
    ['the registry: a task', registryAccount, tasksOf(A)],
    ['an observer: a command', observerAccount, COMMANDS],
    ['an observer: an event', observerAccount, eventsOf('control')],
    ['the allocator: an outcome in the name of a host', allocatorAccount, outcomesOf(A)],
    ['the allocator: deleting the events', allocatorAccount, `$JS.API.STREAM.DELETE.${EVENTS_STREAM}`],
  ];

  it.each(publishing)('refuse to %s', async (_, account, subject) => {
    const refusal = await refusalOf(account, (nc) => {
      nc.publish(subject, '{}');
    });
    expect(refusal).toContain('PERMISSIONS_VIOLATION');
    expect(refusal).toContain(`"operation":"publish","subject":"${subject}"`);
  });

  /** Subjects that an account may both write and hear: it can ask itself there, and name any place for the answer. */
  const mailboxes: Readonly<Partial<Record<BusAccount['kind'], string>>> = {
    agent: probeOf(A),
    registry: 'registry.self',
    allocator: probeOf(A),
  };
  const askingThemselves = publishing.flatMap(([attempt, account, subject]) => {
    const mailbox = mailboxes[account.kind];
    return mailbox === undefined ? [] : [[attempt, account, subject, mailbox] as const];
  });

  it.each(askingThemselves)(
    'refuse to %s, as the answer to a request of its own',
    async (_, account, subject, asked) => {
      const nc = await wire(busUserOf(account), passwordOf(account));
      const refusals: string[] = [];
      void (async () => {
        for await (const status of nc.status()) refusals.push(JSON.stringify(status));
      })();
      const seen = nc.subscribe(asked);
      nc.publish(asked, '{}', { reply: subject });
      await nc.flush();
      seen.unsubscribe();
      nc.publish(subject, '{}');
      await nc.flush();
      await new Promise((done) => setImmediate(done));
      await nc.close();
      expect(refusals.join()).toContain(`"operation":"publish","subject":"${subject}"`);
    },
  );

  it.each([
    ['an agent: the tasks of another host', agentA, tasksOf(B)],
    ['an agent: the tasks of all hosts', agentA, TASKS_ALL],
    ['an agent: commands, secrets of volumes and all', agentA, COMMANDS],
    ['an agent: events', agentA, EVENTS_ALL],
    ['an agent: everything', agentA, '>'],
    ['an agent: answers to another one', agentA, `${inboxOf(busUserOf(agentB))}.>`],
    ['a gateway: tasks', gatewayAccount, TASKS_ALL],
    ['a gateway: commands, as if it were the allocator', gatewayAccount, COMMANDS],
    ['a gateway: answers to the allocator', gatewayAccount, `${inboxOf('allocator')}.>`],
    ['an observer: tasks', observerAccount, TASKS_ALL],
  ])('refuse to let %s be listened to', async (_, account, subject) => {
    const refusal = await refusalOf(account, (nc) => {
      nc.subscribe(subject, { callback: () => undefined });
    });
    expect(refusal).toContain('PERMISSIONS_VIOLATION');
    expect(refusal).toContain('"operation":"subscription"');
  });

  it('refuse a consumer whose body asks for more than its subject does', async () => {
    const agent = await wire(busUserOf(agentA), passwordOf(agentA));
    await allocator.publishDurable(tasksOf(B), { secret: 'of b' }, { messageId: 'task-of-b' });
    const config = {
      name: taskConsumerOf(A),
      durable_name: taskConsumerOf(A),
      filter_subject: tasksOf(B),
      ack_policy: 'explicit',
    };
    const body = JSON.stringify({ stream_name: TASKS_STREAM, config });
    const answer = await agent.request(consumerOf(TASKS_STREAM, taskConsumerOf(A), tasksOf(A)), body);
    expect(answer.json()).toMatchObject({ error: { code: 400 } });
    await agent.close();
  });

  it('do not have anybody answer where its asker may not write', async () => {
    const [gateway, agent] = [await as(gatewayAccount), await wire(busUserOf(agentA), passwordOf(agentA))];
    const heard: unknown[] = [];
    gateway.subscribe(eventsOf('control'), (payload) => heard.push(payload));
    const questions = allocator.respond(TASKS_WANTED, () => Promise.resolve({ wanted: true }));
    await Promise.all([allocator.published(), gateway.published()]);
    agent.publish(TASKS_WANTED, '{}', { reply: eventsOf('control') });
    expect((await agent.request(TASKS_WANTED, '{}')).json()).toEqual({ wanted: true });
    // Whatever had been written is heard before this.
    await allocator.publishDurable(eventsOf('control'), 'the last', { messageId: 'event-2' });
    await gateway.published();
    expect(heard).toEqual(['the last']);
    await Promise.all([questions.close(), agent.close()]);
  });

  it.each([
    ['nobody', '', ''],
    ['a stranger', 'agent-c', 'password'],
    ['a wrong password', busUserOf(agentA), passwordOf(agentB)],
  ])('do not let in %s', async (_, user, pass) => {
    await expect(wire(user, pass)).rejects.toThrow(/Authorization Violation/i);
  });
});
