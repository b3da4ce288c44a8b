import { Heartbeat, heartbeatOf, HostName, type InternalCommand, type Residue, VolumeId } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';
import { clusterOf } from '@brickyard/domain/testing';
import { type LivenessOptions, type NodeLiveness, watchNodes } from './node-liveness';

const { state: before } = clusterOf([{ zone: 1, devicesKib: [] }]);
const [node] = [...before.nodes.values()];
if (node === undefined) throw new Error('the cluster has no node');
const HOST = HostName.parse(node.hostnames.manage[0]);

/** Volumes that are to go. */
const residueOf = (...names: string[]): Residue[] =>
  names.map((name) => ({
    nodeId: node.nodeId,
    task: { type: 'DeleteGlusterVolume', volume: { volumeId: VolumeId.parse('b'.repeat(32)), name } },
  }));
const withResidue = (residue: readonly Residue[]): ControlState => ({
  ...before,
  nodes: before.nodes.set(node.nodeId, { ...node, residue: [...residue] }),
});

describe('what abandoned operations left on a node', () => {
  let hear: (payload: unknown, subject: string) => void = () => undefined;
  let residue: readonly Residue[];
  let liveness: NodeLiveness;
  const told: InternalCommand[] = [];
  const bus: LivenessOptions['bus'] = {
    connected: true,
    published: () => Promise.resolve(),
    onConnected: () => () => undefined,
    subscribe: (_, handler) => {
      hear = handler;
      return { close: () => Promise.resolve() };
    },
  };

  beforeEach(() => {
    jest.useFakeTimers();
    told.length = 0;
    residue = residueOf('one');
    liveness = watchNodes({
      bus,
      // Made anew each time, as by the fold when a removal ends without success.
      state: () => withResidue(residue),
      lostAfterMs: 10_000,
      submit: (command) => {
        told.push(command);
        return Promise.resolve();
      },
      onRestarted: () => undefined,
    });
  });

  afterEach(async () => {
    await liveness.stop();
    jest.useRealTimers();
  });

  const beat = (): Heartbeat =>
    Heartbeat.parse({
      host: HOST,
      incarnation: '5e7f8f60-6f0f-4a53-9d3f-9d0e5d1f4a11',
      glusterd: 'running',
      simulated: false,
      brickDriver: 'loop-xfs',
      clones: false,
      intervalMs: 2_000,
    });

  /** The host speaks all the time; how often it was asked for its residue. */
  async function askedWithin(seconds: number): Promise<number> {
    const before = told.length;
    for (let second = 0; second < seconds; second++) {
      hear(beat(), heartbeatOf(HOST));
      await jest.advanceTimersByTimeAsync(1_000);
    }
    return told.length - before;
  }

  it('is asked for again after a while, and then ever more seldom', async () => {
    expect(await askedWithin(25)).toBe(0);
    expect(await askedWithin(10)).toBe(1);
    expect(await askedWithin(50)).toBe(0);
    expect(await askedWithin(20)).toBe(1);
    await askedWithin(1_000);
    expect(await askedWithin(3_600)).toBeLessThanOrEqual(12);
    expect(told.every(({ type }) => type === 'DeclareNodeReturned')).toBe(true);
  });

  it('is asked for soon when there is something else', async () => {
    await askedWithin(1_000);
    residue = residueOf('one', 'two');
    expect(await askedWithin(35)).toBe(1);
  });

  it('is not asked for when there is nothing', async () => {
    residue = [];
    expect(await askedWithin(400)).toBe(0);
  });
});
