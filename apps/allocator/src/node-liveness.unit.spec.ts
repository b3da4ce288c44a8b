import { Heartbeat, heartbeatOf, HostName, type InternalCommand } from '@brickyard/contracts';
import type { ControlState, Node } from '@brickyard/domain';
import type { Bus } from '@brickyard/service-host';
import { type NodeLiveness, watchNodes } from './node-liveness';

const HOST = HostName.parse('10.0.0.1');
const residue = (...names: string[]): readonly object[] =>
  names.map((name) => ({ task: { type: 'DeleteBrick', name } }));

describe('what abandoned operations left on a node', () => {
  let hear: (payload: unknown, subject: string) => void = () => undefined;
  let node: Node;
  let liveness: NodeLiveness;
  const told: InternalCommand[] = [];
  const bus = {
    connected: true,
    published: () => Promise.resolve(),
    onConnected: () => () => undefined,
    subscribe: (_: string, handler: typeof hear) => {
      hear = handler;
      return { close: () => Promise.resolve() };
    },
  } as unknown as Bus;

  beforeEach(() => {
    jest.useFakeTimers();
    told.length = 0;
    node = { nodeId: 'a'.repeat(32), hostnames: { manage: [HOST] }, residue: residue('one') } as unknown as Node;
    liveness = watchNodes({
      bus,
      state: () => ({ nodes: new Map([[node.nodeId, node]]) }) as unknown as ControlState,
      lostAfterMs: 10_000,
      submit: (command) => {
        told.push(command);
        // The fold makes it anew each time that a removal ends without success.
        node = { ...node, residue: [...node.residue] };
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
    node = { ...node, residue: residue('one', 'two') } as unknown as Node;
    expect(await askedWithin(35)).toBe(1);
  });

  it('is not asked for when there is nothing', async () => {
    node = { ...node, residue: [] };
    expect(await askedWithin(400)).toBe(0);
  });
});
