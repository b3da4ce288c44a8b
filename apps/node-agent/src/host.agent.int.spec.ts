import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AgentTask,
  BrickId,
  DeviceId,
  factsOf,
  factsWantedOf,
  Heartbeat,
  heartbeatOf,
  HostName,
  kib,
  NodeFacts,
  NodeId,
  outcomesOf,
  type Outcome,
  probeOf,
  taskConsumerOf,
  TaskId,
  tasksOf,
  VolumeId,
} from '@brickyard/contracts';
import type { Bus } from '@brickyard/service-host';
import type { Agent } from './agent';
import { MOUNT_ROOT } from './brick-path';
import { AgentConfig } from './config';
import { DONE, outcomeOf } from './drivers/step-failure';
import type { Drivers } from './execute';
import { ALWAYS_HEARD, assertHeard, LEASE_MS, openLease } from './lease';
import { openLedger } from './ledger';
import { NodeAgentModule } from './node-agent.module';
import { consumeTasks } from './task.consumer';
import { type AgentBench, agentBench } from './testing/agent-bench';
import { AGENT, DRIVERS } from './tokens';

const HOST = HostName.parse('10.0.0.1');
const DEVICE = DeviceId.parse('d'.repeat(32));
const NODE = NodeId.parse('1'.repeat(32));

const prepare: AgentTask = {
  type: 'PrepareDevice',
  deviceId: DEVICE,
  name: '/dev/sdb',
  destroyData: false,
  knownDevices: [],
};
const check: AgentTask = { type: 'CheckNode', nodeId: NODE };

const brickTask = (type: 'CreateBrick' | 'DeleteBrick' | 'ReadBrick', digit = '1'): AgentTask => ({
  type,
  brick: {
    brickId: BrickId.parse(digit.repeat(32)),
    deviceId: DEVICE,
    deviceName: '/dev/sdb',
    path: `${MOUNT_ROOT}/vg_${DEVICE}/brick_${digit.repeat(32)}/brick`,
    sizeKib: kib(4_194_304),
    poolKib: kib(4_194_304),
    metadataKib: kib(20_480),
    gid: 0,
  },
});

let bench: AgentBench;

beforeEach(async () => {
  bench = await agentBench();
});
afterEach(async () => {
  const held = bench.held();
  await bench.close();
  expect(held).toEqual([]);
});

async function hostAgent(
  name = 'agent',
  prepared: (drivers: Drivers) => void = () => undefined,
): Promise<{ agent: Agent; bus: Bus; end: () => Promise<void> }> {
  const bus = await bench.connect(name);
  const config = AgentConfig.parse({
    BRICKYARD_NATS_URL: bench.nats.url,
    BRICKYARD_AGENT_HOST: HOST,
    BRICKYARD_AGENT_DIR: join(bench.directory, 'state'),
    BRICKYARD_BRICK_DRIVER: 'directory',
    BRICKYARD_VOLUME_DRIVER: 'recorded',
  });
  const app = await NodeAgentModule.open({ config, bus, log: bench.log });
  prepared(app.get<Drivers>(DRIVERS));
  const agent = app.get<Agent>(AGENT);
  await agent.start();
  return {
    agent,
    bus,
    end: async () => {
      await agent.stop();
      await app.close();
    },
  };
}

const present = (isPresent: boolean): unknown => ({ kind: 'done', result: { kind: 'presence', present: isPresent } });

describe('the agent of a host', () => {
  it('does its tasks, says that it lives, answers when asked and tells what its host looks like', async () => {
    const beat = bench.until(heartbeatOf(HOST), (payload) => Heartbeat.parse(payload));
    const { agent, end } = await hostAgent();
    expect(await beat).toMatchObject({ host: HOST, glusterd: 'running', simulated: true, intervalMs: 2000 });
    expect(await bench.bus.request(probeOf(HOST), {}, { timeoutMs: 1000 })).toMatchObject({
      host: HOST,
      simulated: true,
    });
    expect(await agent.ready()).toMatchObject({ bus: { ok: true }, tasks: { ok: true }, bricks: { ok: true } });

    const checked = await bench.outcomesOf(await bench.send(HOST, 'check', check));
    expect(checked).toEqual([{ kind: 'done', result: { kind: 'nothing' } }]);
    const [prepared] = await bench.outcomesOf(await bench.send(HOST, 'prepare', prepare));
    expect(prepared).toMatchObject({ result: { kind: 'device', totalKib: 524_288_000, extentKib: 4096 } });
    const facts = bench.until(factsOf(HOST), (payload) => {
      const parsed = NodeFacts.parse(payload);
      return parsed.bricks.length > 0 && parsed.volumes.length > 0 ? parsed : undefined;
    });
    const created = brickTask('CreateBrick');
    await bench.outcomesOf(await bench.send(HOST, 'create', created));
    expect(await bench.outcomesOf(await bench.send(HOST, 'read', brickTask('ReadBrick')))).toEqual([present(true)]);
    const volume = { volumeId: VolumeId.parse('5'.repeat(32)), name: 'vol_5' };
    const path = created.type === 'CreateBrick' ? created.brick.path : '';
    const [made] = await bench.outcomesOf(
      await bench.send(HOST, 'volume', {
        type: 'CreateGlusterVolume',
        volume: {
          ...volume,
          durability: { kind: 'none' },
          bricks: [{ brickId: BrickId.parse('1'.repeat(32)), host: HOST, path }],
          options: [],
          sizeKib: kib(4_194_304),
        },
      }),
    );
    expect(made).toEqual({ kind: 'done', result: { kind: 'nothing' } });
    const found = await bench.outcomesOf(await bench.send(HOST, 'found', { type: 'ReadGlusterVolume', volume }));
    expect(found).toEqual([present(true)]);
    expect(await facts).toMatchObject({ bricks: [{ path, mounted: true }], volumes: [{ name: 'vol_5' }] });
    await end();
  });

  it('has bricks served in the end when Gluster is busy with something else as it comes up', async () => {
    const answers = [['Another transaction is in progress'], ['Another transaction is in progress'], []];
    let served: () => void = () => undefined;
    const isServed = new Promise<void>((resolve) => (served = resolve));
    const { end } = await hostAgent('agent', ({ volumes }) => {
      jest.spyOn(volumes, 'ensureServing').mockImplementation(() => {
        const problems = answers.shift();
        if (problems?.length === 0) served();
        return Promise.resolve(problems ?? []);
      });
    });
    await isServed;
    await end();
    expect(answers).toEqual([]);
  });

  it('is not ready while a brick is not mounted, and is again once somebody has mended that by hand', async () => {
    const path = `${MOUNT_ROOT}/vg_${DEVICE}/brick_${'1'.repeat(32)}/brick`;
    let mounted = false;
    const { agent, end } = await hostAgent('agent', ({ bricks }) => {
      jest
        .spyOn(bricks, 'ensureMounted')
        .mockResolvedValue([{ path, mounted: false, problem: 'a damaged file system' }]);
      jest.spyOn(bricks, 'readBricks').mockImplementation(() => Promise.resolve(mounted ? [{ path, mounted }] : []));
    });
    expect(await agent.ready()).toMatchObject({ bricks: { ok: false, detail: `not mounted: ${path}` } });
    mounted = true;
    const facts = bench.until(factsOf(HOST), (payload) =>
      NodeFacts.parse(payload).bricks.find((brick) => brick.mounted),
    );
    bench.bus.publish(factsWantedOf(HOST), {});
    await facts;
    expect(await agent.ready()).toMatchObject({ bricks: { ok: true } });
    await end();
  });

  it('does a task once, however often it is sent, also after a new start, and tells the same of it', async () => {
    const first = await hostAgent();
    const taskId = await bench.send(HOST, 'prepare', prepare);
    const [outcome] = await bench.outcomesOf(taskId);
    await first.end();
    // Somebody removes everything: a task done a second time would be seen.
    rmSync(join(bench.directory, 'state', 'directory'), { recursive: true });
    const second = await hostAgent('agent again');
    await bench.send(HOST, 'prepare', prepare, { resend: 1 });
    const after = await bench.send(HOST, 'after', brickTask('CreateBrick'));
    expect(await bench.outcomesOf(after)).toMatchObject([{ kind: 'failed', failure: { transient: false } }]);
    expect(bench.outcomes.filter((one) => one.taskId === taskId).map((one) => one.outcome)).toEqual([outcome]);
    await second.end();
  });

  it('refuses a task that is older than one it has seen for the same thing', async () => {
    const { end } = await hostAgent();
    const resource = 'brick:1';
    await bench.outcomesOf(await bench.send(HOST, 'prepare', prepare));
    await bench.outcomesOf(await bench.send(HOST, 'undo', brickTask('DeleteBrick'), { resource, generation: 9 }));
    const late = await bench.send(HOST, 'act', brickTask('CreateBrick'), { resource, generation: 5 });
    expect(await bench.outcomesOf(late)).toEqual([{ kind: 'stale', seenGeneration: 9 }]);
    expect(await bench.outcomesOf(await bench.send(HOST, 'read', brickTask('ReadBrick')))).toEqual([present(false)]);
    await end();
  });

  it('does not do a task that was given up while it was away', async () => {
    const given = await bench.send(HOST, 'given-up', brickTask('CreateBrick'));
    bench.unwanted.add(given);
    const { end } = await hostAgent();
    await bench.outcomesOf(await bench.send(HOST, 'prepare', prepare));
    expect(await bench.outcomesOf(await bench.send(HOST, 'read', brickTask('ReadBrick')))).toEqual([present(false)]);
    expect(bench.outcomes.some(({ taskId }) => taskId === given)).toBe(false);
    await end();
  });

  it('drops what makes no sense, and says so where it can', async () => {
    const { end } = await hostAgent();
    await bench.bus.publishDurable(tasksOf(HOST), { nonsense: true }, { messageId: 'nonsense' });
    const unknown = TaskId.parse(`${'a'.repeat(32)}.unknown`);
    const envelope = {
      taskId: unknown,
      operationId: 'a'.repeat(32),
      nodeId: NODE,
      host: HOST,
      resource: 'x',
      generation: 1,
    };
    const task = { type: 'PolishBricks' };
    await bench.bus.publishDurable(tasksOf(HOST), { ...envelope, task }, { messageId: 'unknown' });
    expect(await bench.outcomesOf(unknown)).toMatchObject([{ kind: 'failed', failure: { transient: false } }]);
    expect(await bench.outcomesOf(await bench.send(HOST, 'check', check))).toHaveLength(1);
    await end();
  });

  it('answers soon after NATS was away, with what it had learned before', async () => {
    const { end, bus } = await hostAgent();
    const reconnected = Promise.all([bus, bench.bus].map((one) => new Promise<void>((back) => one.onConnected(back))));
    await bench.outcomesOf(await bench.send(HOST, 'check', check));
    bench.nats.kill();
    await bench.nats.ended;
    const nats = await bench.restartNats();
    await reconnected;
    expect(await bench.outcomesOf(await bench.send(HOST, 'check-2', check))).toHaveLength(1);
    await end();
    await nats.stop();
  });
});

describe('the queue of tasks', () => {
  it('works on one thing one task at a time, on several at once, and hands over what it had begun', async () => {
    const ledger = await openLedger({ file: join(bench.directory, 'ledger'), sync: true });
    const running = new Map<string, number>();
    let peak = 0;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const begun: string[] = [];
    const work = async (resource: string): Promise<Outcome> => {
      begun.push(resource);
      expect(running.get(resource) ?? 0).toBe(0);
      running.set(resource, 1);
      peak = Math.max(
        peak,
        [...running.values()].reduce((sum, one) => sum + one, 0),
      );
      await gate;
      running.set(resource, 0);
      return { ok: true, result: { kind: 'nothing' } };
    };
    const consuming = await consumeTasks({
      lease: ALWAYS_HEARD,
      bus: await bench.connect('queue'),
      log: bench.log,
      ledger,
      filter: tasksOf(HOST),
      consumer: taskConsumerOf(HOST),
      concurrency: 4,
      isOurs: () => true,
      execute: ({ resource }) => work(resource),
    });
    const sent = await Promise.all(
      ['a', 'a', 'b', 'b', 'c', 'c'].map((resource, index) =>
        bench.send(HOST, `t${String(index)}`, check, { resource, generation: index + 1 }),
      ),
    );
    while (begun.length < 2) await new Promise((resolve) => setImmediate(resolve));
    open();
    for (const taskId of sent) expect(await bench.outcomesOf(taskId)).toHaveLength(1);
    expect(peak).toBeGreaterThan(1);
    expect(peak).toBeLessThanOrEqual(3);
    await consuming.close();
    await ledger.close();
    expect(outcomesOf(HOST)).toContain('10_2e0_2e0_2e1');
  });

  it('remembers nothing that a task made of the refusal of an unheard host: it is done when it comes again', async () => {
    const ledger = await openLedger({ file: join(bench.directory, 'ledger'), sync: true });
    let now = 1_000_000;
    const lease = openLease(() => now);
    lease.confirm(now);
    let tries = 0;
    const execute = (): Promise<Outcome> =>
      outcomeOf(async () => {
        tries += 1;
        if (tries === 1) now += 2 * LEASE_MS;
        if (tries === 1) lease.confirm(now);
        assertHeard();
        return Promise.resolve(DONE);
      });
    const consuming = await consumeTasks({
      lease,
      bus: await bench.connect('queue'),
      log: bench.log,
      ledger,
      filter: tasksOf(HOST),
      consumer: taskConsumerOf(HOST),
      concurrency: 1,
      isOurs: () => true,
      execute,
    });
    const taskId = await bench.send(HOST, 'unheard', check);
    expect(await bench.outcomesOf(taskId)).toEqual([{ kind: 'done', result: { kind: 'nothing' } }]);
    expect(tries).toBe(2);
    await consuming.close();
    await ledger.close();
  });
});
