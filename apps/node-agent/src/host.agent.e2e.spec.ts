import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentTask,
  BrickId,
  type BrickSpec,
  DeviceId,
  FACTS_ALL,
  Heartbeat,
  heartbeatOf,
  HostName,
  kib,
  NodeFacts,
  NodeId,
  type TaskOutcome,
  VolumeId,
} from '@brickyard/contracts';
import { type HostLab, hostsSupported, prepareHosts, type StorageHost } from '@brickyard/hosts';
import { MOUNT_ROOT } from './brick-path';
import { type AgentBench, agentBench } from './testing/agent-bench';

jest.setTimeout(300_000);

const ROOT = join(__dirname, '../../..');
const MAIN = join(ROOT, 'apps/node-agent/dist/main.js');
const hex = (digit: string): string => digit.repeat(32);
const volume = { volumeId: VolumeId.parse(hex('5')), name: 'vol_5' };
const deviceOf = (index: number): DeviceId => DeviceId.parse(hex(String.fromCharCode(97 + index)));
const OK = { kind: 'done', result: { kind: 'nothing' } };

const describeWhenPossible = hostsSupported().supported ? describe : describe.skip;

describeWhenPossible('agents on real storage hosts', () => {
  let lab: HostLab;
  let bench: AgentBench;
  let machines: readonly StorageHost[];
  const agents = new Map<string, ChildProcess>();

  const nameOf = (machine: StorageHost | undefined): HostName => HostName.parse(machine?.address);
  const machine = (index: number): StorageHost => {
    const found = machines[index];
    if (found === undefined) throw new RangeError(`no host ${String(index)}`);
    return found;
  };

  async function startAgent(on: StorageHost, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const beat = bench.until(heartbeatOf(nameOf(on)), (payload) => Heartbeat.parse(payload));
    const env = {
      BRICKYARD_NATS_URL: bench.nats.url,
      BRICKYARD_NATS_USER: bench.account.user,
      BRICKYARD_NATS_PASSWORD: bench.account.password,
      BRICKYARD_AGENT_HOST: on.address,
      BRICKYARD_AGENT_DIR: on.stateDirectory,
      BRICKYARD_BRICK_DRIVER: 'loop-xfs',
      BRICKYARD_HEALTH_HOST: '127.0.0.1',
      ...more,
    };
    const agent = on.spawn([process.execPath, MAIN], { env, logFile: join(on.directory, 'agent.log') });
    agents.set(on.name, agent);
    await beat;
  }

  async function killAgent(on: StorageHost): Promise<void> {
    const agent = agents.get(on.name);
    if (agent === undefined) return;
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGKILL');
    await ended;
  }

  const loopDevices = (): readonly string[] =>
    execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' }).split('\n');
  /** Hosts of another run on this machine have files of the same names. */
  let loopsBefore: readonly string[] = [];

  beforeAll(async () => {
    loopsBefore = loopDevices();
    lab = await prepareHosts({ directory: mkdtempSync(join(tmpdir(), 'brickyard-agents-')), count: 3 });
    bench = await agentBench(lab.clientAddress);
    await lab.boot();
    machines = lab.hosts;
    await Promise.all(machines.map((one) => startAgent(one)));
  }, 180_000);

  afterAll(async () => {
    await bench.close();
    await lab.down({ remove: true });
  }, 60_000);

  const brick = (index: number, digit = index + 1): BrickSpec => {
    const brickId = BrickId.parse(hex(String(digit)));
    return {
      brickId,
      deviceId: deviceOf(index),
      deviceName: machine(index).devices[0] ?? '',
      path: `${MOUNT_ROOT}/vg_${deviceOf(index)}/brick_${brickId}/brick`,
      sizeKib: kib(1_048_576),
      poolKib: kib(1_048_576),
      metadataKib: kib(8192),
      gid: 0,
    };
  };
  const done = async (index: number, name: string, task: AgentTask): Promise<TaskOutcome['outcome'] | undefined> =>
    (await bench.outcomesOf(await bench.send(machine(index).address, name, task)))[0];
  const factsWhere = (accept: (facts: NodeFacts) => boolean): Promise<NodeFacts> =>
    bench.until(FACTS_ALL, (payload) => {
      const facts = NodeFacts.parse(payload);
      return accept(facts) ? facts : undefined;
    });
  const onlineBricks = async (): Promise<number> => {
    const argv = ['gluster', '--mode=script', 'volume', 'status', volume.name];
    const { stdout } = await machine(0).run(argv, { timeoutMs: 30_000 });
    return stdout.split(/^Brick/m).filter((part) => /\sY\s+\d+\s*$/m.test(part.split(/^Self-heal/m)[0] ?? '')).length;
  };
  const imagesOf = (index: number): string[] =>
    readdirSync(join(machine(index).directory, 'lib-brickyard/devices/disk1.bricks')).filter((name) =>
      name.endsWith('.img'),
    );

  it('build a volume out of devices, and it can be used', async () => {
    for (const index of [0, 1, 2]) {
      const [name = ''] = machine(index).devices;
      const prepare: AgentTask = {
        type: 'PrepareDevice',
        deviceId: deviceOf(index),
        name,
        destroyData: false,
        knownDevices: [],
      };
      expect(await done(index, `prepare-${String(index)}`, prepare)).toMatchObject({ kind: 'done' });
    }
    for (const index of [1, 2]) {
      const nodeId = NodeId.parse(hex(String(index)));
      const peer: AgentTask = { type: 'ProbePeer', nodeId, host: nameOf(machine(index)) };
      expect(await done(0, `peer-${String(index)}`, peer)).toEqual(OK);
    }
    const made = [0, 1, 2].map((index) =>
      done(index, `brick-${String(index)}`, { type: 'CreateBrick', brick: brick(index) }),
    );
    expect(await Promise.all(made)).toEqual([OK, OK, OK]);
    const created = await done(0, 'create', {
      type: 'CreateGlusterVolume',
      volume: {
        ...volume,
        durability: { kind: 'replicate', replica: 3 },
        bricks: [0, 1, 2].map((index) => ({ host: nameOf(machine(index)), ...pick(brick(index)) })),
        options: ['network.ping-timeout 10'],
        sizeKib: kib(1_048_576),
      },
    });
    expect(created).toEqual(OK);
    expect(await done(0, 'start', { type: 'StartGlusterVolume', volume })).toMatchObject({
      kind: 'done',
      result: { kind: 'volume', options: { 'user.brickyard.id': volume.volumeId } },
    });
    expect(await onlineBricks()).toBe(3);
    const target = join(bench.directory, 'mount');
    await lab.mount(volume.name, target);
    writeFileSync(join(target, 'kept'), 'before the crash');
    await lab.unmount(target);
  });

  it('end a brick that a killed agent had begun, and answer for it', async () => {
    const target = brick(1, 7);
    const taskId = await bench.send(machine(1).address, 'killed', { type: 'CreateBrick', brick: target });
    const images = (): string[] => imagesOf(1);
    while (images().length < 2) await new Promise((resolve) => setImmediate(resolve));
    await killAgent(machine(1));
    await startAgent(machine(1));
    // The allocator sends what runs again when it hears of a new start; the queue would, too, but later.
    await bench.send(machine(1).address, 'killed', { type: 'CreateBrick', brick: target }, { resend: 1 });
    expect(await bench.outcomesOf(taskId)).toEqual([OK]);
    expect(await done(1, 'killed-read', { type: 'ReadBrick', brick: target })).toMatchObject({
      result: { present: true },
    });
    expect(await done(1, 'killed-gone', { type: 'DeleteBrick', brick: target })).toEqual(OK);
    expect(images()).toHaveLength(1);
  });

  it('mount bricks after a power loss before they are served again, and nothing is lost', async () => {
    await machine(2).crash();
    expect(await onlineBricks()).toBe(2);
    await machine(2).boot();
    expect(await onlineBricks()).toBe(2);
    const { path } = brick(2);
    const mounted = factsWhere(({ host, bricks }) => host === nameOf(machine(2)) && bricks.some((one) => one.mounted));
    await startAgent(machine(2));
    expect((await mounted).bricks).toEqual([{ path, mounted: true, sizeKib: 1_048_576 }]);
    while ((await onlineBricks()) < 3);
    const target = join(bench.directory, 'mount');
    await lab.mount(volume.name, target);
    expect(readFileSync(join(target, 'kept'), 'utf8')).toBe('before the crash');
    await lab.unmount(target);
  });

  it('change nothing with a glusterd that has not met the others yet', async () => {
    const gluster = (index: number, ...words: string[]): Promise<{ stdout: string }> =>
      machine(index).run(['gluster', '--mode=script', ...words], { timeoutMs: 30_000 });
    const others = [machine(0), machine(1)];
    await machine(2).crashGlusterd();
    await gluster(0, 'volume', 'set', volume.name, 'performance.cache-size', '32MB');
    await Promise.all(others.map((other) => other.crashGlusterd()));
    await machine(2).startGlusterd();
    const set = { 'performance.cache-refresh-timeout': '2' };
    const changed = done(2, 'set', { type: 'SetVolumeOptions', volume, set, unset: [] });
    await Promise.all(others.map((other) => other.startGlusterd()));
    expect(await changed).toEqual(OK);
    for (const index of [0, 1, 2]) {
      expect((await gluster(index, 'peer', 'status')).stdout).not.toContain('Rejected');
      expect((await gluster(index, 'volume', 'info', volume.name)).stdout).toContain('cache-refresh-timeout: 2');
    }
    while ((await onlineBricks()) < 3);
  });

  it('remove what keeps glusterd from starting', async () => {
    await machine(1).crashGlusterd();
    const state = join(machine(1).directory, 'lib-glusterd');
    mkdirSync(join(state, 'vols/half'));
    writeFileSync(join(state, 'vols/half/info'), '');
    // It refuses the first time; its supervisor tries again, and by then the agent has looked.
    await machine(1)
      .startGlusterd()
      .catch(() => undefined);
    while (!machine(1).isGlusterdReady()) await new Promise((resolve) => setImmediate(resolve));
    expect(readdirSync(join(state, 'brickyard-quarantine'))).toEqual([expect.stringMatching(/^half\.\d+$/)]);
    expect(await done(1, 'check', { type: 'CheckNode', nodeId: NodeId.parse(hex('2')) })).toEqual(OK);
  });

  it('start glusterd themselves where nobody else does', async () => {
    await killAgent(machine(2));
    await startAgent(machine(2), { BRICKYARD_GLUSTERD: 'start' });
    await machine(2).stopGlusterd();
    let nth = 0;
    const runs = async (): Promise<boolean> => {
      nth += 1;
      const task: AgentTask = { type: 'CheckNode', nodeId: NodeId.parse(hex('3')) };
      return (await done(2, `check-start-${String(nth)}`, task))?.kind === 'done';
    };
    while (!(await runs())) await new Promise((resolve) => setImmediate(resolve));
    while ((await onlineBricks()) < 3);
  });

  it('take everything away again and leave nothing behind', async () => {
    expect(await done(0, 'stop', { type: 'StopGlusterVolume', volume })).toEqual(OK);
    expect(await done(0, 'delete', { type: 'DeleteGlusterVolume', volume })).toEqual(OK);
    for (const index of [0, 1, 2]) {
      expect(await done(index, `gone-${String(index)}`, { type: 'DeleteBrick', brick: brick(index) })).toEqual(OK);
      expect(imagesOf(index)).toEqual([]);
      const [name = ''] = machine(index).devices;
      const retire: AgentTask = { type: 'RetireDevice', deviceId: deviceOf(index), name, ignoreErrors: false };
      expect(await done(index, `retire-${String(index)}`, retire)).toEqual(OK);
      const { stdout } = await machine(index).run(['findmnt', '--list', '-t', 'xfs', '-o', 'TARGET'], {
        timeoutMs: 10_000,
      });
      expect(stdout).not.toContain(MOUNT_ROOT);
    }
    for (const index of [1, 2]) {
      const nodeId = NodeId.parse(hex(String(index)));
      const peer: AgentTask = { type: 'DetachPeer', nodeId, host: nameOf(machine(index)) };
      expect(await done(0, `detach-${String(index)}`, peer)).toEqual(OK);
    }
    const loops = loopDevices()
      .filter((line) => !loopsBefore.includes(line))
      .join('\n');
    for (const digit of [1, 2, 3, 7]) expect(loops).not.toContain(hex(String(digit)));
  });
});

const pick = ({ brickId, path }: BrickSpec): { brickId: BrickId; path: string } => ({ brickId, path });
