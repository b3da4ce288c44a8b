import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandBatch, type CommandEnvelope, type CommandReply, COMMANDS } from '@brickyard/contracts';
import { type Bus, connectBus, createLogger } from '@brickyard/service-host';
import { type NatsServer, startNats } from '@brickyard/servers';
import { CommandBus } from './command-bus';
import { commandClient } from './command-client';
import { idOf } from './testing/events';

/** An attempt has time enough on a busy machine: one that is repeated for its own sake would be counted. */
const timing = { attemptMs: 10_000, pauseMs: 5, pauseMaxMs: 20 };

const envelope = (index: number, deadlineMs = 30_000): CommandEnvelope =>
  ({
    commandId: `command-${String(index)}`,
    correlationId: 'spec',
    actor: { name: 'spec' },
    deadline: Date.now() + deadlineMs,
    command: { type: 'RemoveCluster', clusterId: idOf('c') },
  }) as CommandEnvelope;

describe('the command bus', () => {
  let folder = '';
  let nats: NatsServer;
  let allocator: Bus;
  let commands: CommandBus;
  let batches: CommandBatch[] = [];
  let answer: (batch: CommandBatch) => unknown = () => undefined;

  const accept = ({ commands: all }: CommandBatch): readonly CommandReply[] =>
    all.map(({ commandId }) => ({ kind: 'accepted', position: 1, repeated: false, ids: { commandId } }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-command-bus-'));
    nats = await startNats({ storeDir: folder });
    allocator = await connectBus({
      url: nats.url,
      name: 'spec',
      log: createLogger({ service: 'spec', level: 'silent' }),
    });
    allocator.respond(COMMANDS, (payload) => {
      const { data } = payload as { readonly data: CommandBatch };
      batches.push(data);
      return Promise.resolve({ response: { replies: answer(data) }, isDisposed: true });
    });
    commands = new CommandBus(commandClient({ url: nats.url }), timing);
  });
  afterAll(async () => {
    await commands.close();
    await allocator.drain();
    await nats.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    batches = [];
    answer = accept;
  });

  const sizes = (): number[] => batches.map((batch) => batch.commands.length);

  it('sends the commands of one turn in one request, each with its own answer', async () => {
    const replies = await Promise.all(Array.from({ length: 100 }, (_, index) => commands.send(envelope(index), 50)));
    expect(sizes()).toEqual([100]);
    expect(replies.map((reply) => reply.kind === 'accepted' && reply.ids['commandId'])).toEqual(
      Array.from({ length: 100 }, (_, index) => `command-${String(index)}`),
    );
  });

  it('sends neither too many commands nor too many bytes in one request', async () => {
    await Promise.all(Array.from({ length: 300 }, (_, index) => commands.send(envelope(index), 50)));
    expect(sizes()).toEqual([256, 44]);
    batches = [];
    await Promise.all(Array.from({ length: 4 }, (_, index) => commands.send(envelope(index), 200 * 1024)));
    expect(sizes()).toEqual([2, 2]);
  });

  it('repeats under the same id what was not decided, not answered or not readable', async () => {
    const answers: ((batch: CommandBatch) => unknown)[] = [
      () => [{ kind: 'unavailable', reason: 'busy', retryAfterMs: 1 }],
      () => [],
      () => [{ nonsense: true }],
      accept,
    ];
    answer = (batch) => (answers.shift() ?? accept)(batch);
    expect(await commands.send(envelope(7), 50)).toMatchObject({ kind: 'accepted' });
    expect(batches.flatMap((batch) => batch.commands.map(({ commandId }) => commandId))).toEqual(
      Array(4).fill('command-7'),
    );
  });

  it('asks again at once when another allocator leads', async () => {
    let wasAsked: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (wasAsked = resolve));
    answer = () => {
      wasAsked();
      return [{ kind: 'unavailable', reason: 'the lead was lost', retryAfterMs: 60_000 }];
    };
    const reply = commands.send(envelope(10, 120_000), 50);
    await asked;
    answer = accept;
    const asking = setInterval(() => {
      commands.askAgain(); // The refusal may still be on its way when the new leader speaks.
    }, 20);
    expect(await reply).toMatchObject({ kind: 'accepted' });
    clearInterval(asking);
    expect(new Set(batches.flatMap((batch) => batch.commands.map(({ commandId }) => commandId))).size).toBe(1);
  });

  it('tells what kept it busy when the deadline cuts the last attempt short', async () => {
    answer = ({ commands: all }) =>
      all.map(() => ({ kind: 'unavailable', reason: 'another has the lead', retryAfterMs: 1 }));
    const given: Promise<unknown>[] = [];
    for (let deadlineMs = 1_000; deadlineMs < 1_040; deadlineMs += 1)
      given.push(commands.send(envelope(8, deadlineMs), 50));
    const ends = await Promise.allSettled(given);
    const texts = ends.map((end) => (end.status === 'rejected' ? String(end.reason) : 'answered'));
    expect(new Set(texts)).toEqual(new Set(['Unavailable: the allocator is busy: another has the lead']));
  });

  it('gives up at the deadline and says what is away', async () => {
    answer = () => [{ kind: 'unavailable', reason: 'another has the lead', retryAfterMs: 1 }];
    const busy = commands.send(envelope(8, 1_500), 50);
    await expect(busy).rejects.toThrow('the allocator is busy: another has the lead');
    nats.kill();
    await expect(commands.send(envelope(9, 500), 50)).rejects.toThrow('NATS is not reachable');
    expect(commands.waiting).toBe(0);
  });
});
