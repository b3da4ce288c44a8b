import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type AgentTask,
  BrickId,
  DeviceId,
  factsOf,
  Heartbeat,
  HEARTBEATS_ALL,
  HostName,
  kib,
  NodeFacts,
  NodeId,
  probeOf,
  VolumeId,
} from '@brickyard/contracts';
import { Unavailable } from '@brickyard/service-host';
import type { Agent } from './agent';
import { MOUNT_ROOT } from './brick-path';
import { AgentConfig } from './config';
import { NodeAgentModule } from './node-agent.module';
import { type AgentBench, agentBench } from './testing/agent-bench';
import { AGENT } from './tokens';

const hosts = ['storage-1', 'storage-2', 'storage-3'].map((name) => HostName.parse(name));
const [FIRST = HostName.parse('x'), SECOND = FIRST, THIRD = FIRST] = hosts;
const hex = (digit: string): string => digit.repeat(32);
const deviceOf = (index: number): DeviceId => DeviceId.parse(hex(String.fromCharCode(97 + index)));
const check: AgentTask = { type: 'CheckNode', nodeId: NodeId.parse(hex('1')) };
const volume = { volumeId: VolumeId.parse(hex('5')), name: 'vol_5' };

const brickAt = (index: number) => {
  const brickId = BrickId.parse(hex(String(index + 1)));
  const path = `${MOUNT_ROOT}/vg_${deviceOf(index)}/brick_${brickId}/brick`;
  return { brickId, path };
};
const prepare = (index: number): AgentTask => ({
  type: 'PrepareDevice',
  deviceId: deviceOf(index),
  name: '/dev/sdb',
  destroyData: false,
  knownDevices: [],
});
const createBrick = (index: number): AgentTask => ({
  type: 'CreateBrick',
  brick: {
    ...brickAt(index),
    deviceId: deviceOf(index),
    deviceName: '/dev/sdb',
    sizeKib: kib(1_048_576),
    poolKib: kib(1_048_576),
    metadataKib: kib(8192),
    gid: 0,
  },
});
const createVolume: AgentTask = {
  type: 'CreateGlusterVolume',
  volume: {
    ...volume,
    durability: { kind: 'replicate', replica: 3 },
    bricks: hosts.map((host, index) => ({ host, ...brickAt(index) })),
    options: [],
    sizeKib: kib(1_048_576),
  },
};

let bench: AgentBench;
let faultsFile: string;
let ends: (() => Promise<void>)[];

beforeEach(async () => {
  bench = await agentBench();
  mkdirSync(join(bench.directory, 'faults'));
  faultsFile = join(bench.directory, 'faults', 'faults.json');
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  const held = bench.held();
  await bench.close();
  expect(held).toEqual([]);
});

async function start(): Promise<() => Promise<void>> {
  const config = AgentConfig.parse({
    BRICKYARD_NATS_URL: bench.nats.url,
    BRICKYARD_AGENT_SIMULATED: '1',
    BRICKYARD_AGENT_DIR: join(bench.directory, 'simulated'),
    BRICKYARD_DEVICE_SIZE_KIB: '10485760',
    BRICKYARD_FAULTS: faultsFile,
  });
  const bus = await bench.connect('simulated');
  const app = await NodeAgentModule.open({ config, bus, log: bench.log });
  const agent = app.get<Agent>(AGENT);
  let hasEnded = false;
  const end = async (): Promise<void> => {
    if (hasEnded) return;
    hasEnded = true;
    await agent.stop();
    await app.close();
  };
  ends.push(end);
  await agent.start();
  return end;
}

const probe = (host: HostName): Promise<unknown> => bench.bus.request(probeOf(host), {}, { timeoutMs: 1000 });
const beatOf = (host: HostName): Promise<Heartbeat> =>
  bench.until(HEARTBEATS_ALL, (payload) => {
    const beat = Heartbeat.parse(payload);
    return beat.host === host ? beat : undefined;
  });
const done = async (host: HostName, name: string, task: AgentTask, nodeId?: string): Promise<unknown> =>
  (await bench.outcomesOf(await bench.send(host, name, task, nodeId === undefined ? {} : { nodeId })))[0];
const OK = { kind: 'done', result: { kind: 'nothing' } };

/** As an editor would: the file is another one afterwards. */
function plan(faults: unknown): void {
  writeFileSync(`${faultsFile}.new`, typeof faults === 'string' ? faults : JSON.stringify(faults));
  renameSync(`${faultsFile}.new`, faultsFile);
}

/** Waits until the agent has read the file: a host that exists only for this falls silent, or speaks again. */
async function planned(faults: readonly unknown[], isOver = false): Promise<void> {
  const witness = HostName.parse('witness');
  plan(isOver ? faults : [...faults, { host: witness, silent: true }]);
  for (;;) {
    const isSilent = await probe(witness).then(
      () => false,
      () => true,
    );
    if (isSilent !== isOver) return;
  }
}

describe('the agent of all simulated hosts', () => {
  it('tells unasked what its hosts look like after a new start', async () => {
    const end = await start();
    for (const host of [FIRST, SECOND]) await done(host, `prepare-${host}`, prepare(hosts.indexOf(host)));
    await end();
    const told = [FIRST, SECOND].map((host) => bench.until(factsOf(host), (payload) => NodeFacts.parse(payload)));
    await bench.bus.published();
    await start();
    for (const [index, facts] of (await Promise.all(told)).entries()) {
      expect(facts.devices).toMatchObject([{ deviceId: deviceOf(index) }]);
    }
  });

  it('is every host that is asked for, and still is after a new start', async () => {
    const end = await start();
    const heard = beatOf(SECOND);
    for (const host of hosts) {
      expect(await probe(host)).toMatchObject({ host, glusterd: 'running', simulated: true });
    }
    const before = await heard;
    const again = beatOf(SECOND);
    await end();
    await start();
    expect((await again).incarnation).not.toBe(before.incarnation);
  });

  it('plays a whole cluster: peers, devices, bricks, a volume, and all of it taken away again', async () => {
    await start();
    const nodeIds = hosts.map((_, index) => hex(String(index + 7)));
    for (const [index, host] of hosts.entries()) {
      expect(await done(host, `check-${host}`, check, nodeIds[index])).toEqual(OK);
      expect(await done(host, `prepare-${host}`, prepare(index))).toMatchObject({
        result: { kind: 'device', totalKib: 10_485_760, paths: ['/dev/sdb'] },
      });
    }
    // The second is known to its peers by another name than its agent's.
    for (const [index, host] of [HostName.parse('10.0.0.2'), THIRD].entries()) {
      const nodeId = NodeId.parse(nodeIds[index + 1]);
      expect(await done(FIRST, `probe-${String(index)}`, { type: 'ProbePeer', nodeId, host })).toEqual(OK);
    }
    for (const [index, host] of hosts.entries())
      expect(await done(host, `brick-${host}`, createBrick(index))).toEqual(OK);
    const facts = bench.until(factsOf(THIRD), (payload) => {
      const parsed = NodeFacts.parse(payload);
      return parsed.volumes.some(({ status }) => status === 'started') ? parsed : undefined;
    });
    expect(await done(FIRST, 'create', createVolume)).toEqual(OK);
    expect(await done(SECOND, 'start', { type: 'StartGlusterVolume', volume })).toMatchObject({
      kind: 'done',
      result: { kind: 'volume', options: { 'user.brickyard.id': volume.volumeId } },
    });
    await done(THIRD, 'look', { type: 'ReadGlusterVolume', volume });
    expect(await facts).toMatchObject({ simulated: true, volumes: [{ name: 'vol_5' }], bricks: [{ mounted: true }] });
    expect(
      await done(FIRST, 'detach', { type: 'DetachPeer', nodeId: NodeId.parse(hex('9')), host: THIRD }),
    ).toMatchObject({
      kind: 'failed',
      failure: { transient: false },
    });
    expect(await done(SECOND, 'delete', { type: 'DeleteGlusterVolume', volume })).toEqual(OK);
    for (const [index, host] of hosts.entries()) {
      const { brick } = createBrick(index) as Extract<AgentTask, { type: 'CreateBrick' }>;
      expect(await done(host, `gone-${host}`, { type: 'DeleteBrick', brick })).toEqual(OK);
      const retire: AgentTask = {
        type: 'RetireDevice',
        deviceId: deviceOf(index),
        name: '/dev/sdb',
        ignoreErrors: false,
      };
      expect(await done(host, `retire-${host}`, retire)).toEqual(OK);
    }
  });

  it('has the faults of its file: failures by task and host, as often as planned, and hangs until they are lifted', async () => {
    plan([
      { task: 'CheckNode', host: FIRST, count: 2, fail: { transient: true, detail: 'no power' } },
      { task: 'PrepareDevice', fail: { transient: false, detail: 'no answer', uncertain: true }, delayMs: 1 },
      { task: 'CreateBrick', hang: true },
    ]);
    await start();
    const failed = (detail: string): unknown => ({
      kind: 'failed',
      failure: expect.objectContaining({ detail }) as unknown,
    });
    expect(await done(FIRST, 'check-1', check)).toEqual(failed('no power'));
    expect(await done(SECOND, 'check-2', check)).toEqual(OK);
    expect(await done(FIRST, 'check-3', check)).toEqual(failed('no power'));
    expect(await done(FIRST, 'check-4', check)).toEqual(OK);
    // It was done all the same.
    expect(await done(FIRST, 'prepare', prepare(0))).toEqual(failed('no answer'));
    const hanging = await bench.send(FIRST, 'brick', createBrick(0));
    expect(await done(FIRST, 'check-5', check)).toEqual(OK);
    expect(bench.outcomes.some(({ taskId }) => taskId === hanging)).toBe(false);
    plan('[]');
    expect(await bench.outcomesOf(hanging)).toEqual([OK]);
  });

  it('lets a host fall silent, keeps its tasks, and lets it speak again', async () => {
    await start();
    for (const host of [FIRST, SECOND]) await done(host, `check-${host}`, check);
    expect(await done(FIRST, 'peer', { type: 'ProbePeer', nodeId: NodeId.parse(hex('8')), host: SECOND })).toEqual(OK);
    await planned([{ host: SECOND, silent: true }]);
    await expect(probe(SECOND)).rejects.toThrow(Unavailable);
    const waiting = await bench.send(SECOND, 'waiting', check);
    const outcome = await done(FIRST, 'create', createVolume);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { transient: true } });
    expect(bench.outcomes.some(({ taskId }) => taskId === waiting)).toBe(false);
    await planned([], true);
    expect(await probe(SECOND)).toMatchObject({ host: SECOND });
    expect(await bench.outcomesOf(waiting)).toEqual([OK]);
  });

  it('does not start with faults that make no sense, and keeps the old ones when new ones do not', async () => {
    plan([{ task: 'PolishBricks' }]);
    await expect(start()).rejects.toThrow(/BRICKYARD_FAULTS: .*faults\.json: \[0\.task\]/);
    expect(bench.held()).toEqual([]);
    plan([{ task: 'CheckNode', fail: { transient: true, detail: 'planned' } }]);
    await start();
    plan('{ not json');
    expect(await done(FIRST, 'check', check)).toMatchObject({ failure: { detail: 'planned' } });
  });

  it('does not start with a journal that is damaged, and lets go of the others', async () => {
    const end = await start();
    expect(
      bench
        .held()
        .map((path) => basename(path))
        .sort(),
    ).toEqual(['blocks.journal', 'gluster.journal', 'hosts.journal', 'tasks.journal']);
    await end();
    appendFileSync(join(bench.directory, 'simulated', 'blocks.journal'), 'nonsense\n');
    await expect(start()).rejects.toThrow(/blocks\.journal is not JSON/);
    expect(bench.held()).toEqual([]);
  });
});
