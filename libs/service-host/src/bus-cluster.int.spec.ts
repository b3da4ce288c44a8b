/** Streams on a cluster of three servers, one of which is killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, type NatsServer, startNats } from '@brickyard/servers';
import { z } from 'zod';
import { type Bus, connectBus, createLogger } from './index';

const log = createLogger({ service: 'test', level: 'silent' });
const MESSAGES = 20;
const TASKS = { name: 'TASKS', subjects: ['tasks'], retention: 'workqueue', replicas: 3 } as const;
const Info = z.object({
  config: z.object({ num_replicas: z.int() }),
  cluster: z.object({ leader: z.string() }),
  state: z.object({ messages: z.int() }),
});

describe('a stream with three copies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-nats-cluster-'));
  const servers = new Map<string, NatsServer>();
  let bus: Bus;

  beforeAll(async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const routes = ports.map((port) => `"nats://127.0.0.1:${String(port)}"`).join(', ');
    const started = ports.map(async (port, index) => {
      const name = `nats-${String(index)}`;
      const cluster = `cluster { name: test, listen: "127.0.0.1:${String(port)}", routes: [${routes}] }`;
      const config = `server_name: ${name}\n${cluster}\n`;
      servers.set(name, await startNats({ storeDir: join(folder, name), config }));
    });
    await Promise.all(started);
    bus = await connectBus({ url: [...servers.values()].map(({ url }) => url).join(','), name: 'test', log });
    await eventually(() => bus.ensureStream(TASKS)); // The servers have to elect who is in charge first.
  }, 60_000);

  afterAll(async () => {
    await bus.drain();
    await Promise.all([...servers.values()].map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  const info = async (): Promise<z.infer<typeof Info>> =>
    Info.parse(await bus.request('$JS.API.STREAM.INFO.TASKS', {}, { timeoutMs: 2_000 }));

  it('keeps what was acknowledged when the server that leads it is killed, and takes more', async () => {
    for (let number = 0; number < MESSAGES; number += 1)
      await bus.publishDurable('tasks', { number }, { messageId: `id-${String(number)}` });
    const before = await info();
    expect([before.config.num_replicas, before.state.messages]).toEqual([3, MESSAGES]);
    const leader = servers.get(before.cluster.leader);
    expect(leader).toBeDefined();
    leader?.kill();
    await eventually(() => bus.publishDurable('tasks', { number: MESSAGES }, { messageId: `id-${String(MESSAGES)}` }));
    // Sent again, since whether it had arrived was unknown: it is taken once.
    await eventually(() => bus.publishDurable('tasks', { number: MESSAGES }, { messageId: `id-${String(MESSAGES)}` }));
    const after = await info();
    expect(after.cluster.leader).not.toBe(before.cluster.leader);
    expect(after.state.messages).toBe(MESSAGES + 1);
  }, 60_000);
});
