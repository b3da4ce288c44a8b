import { gib, kibOf, type NodeId, type OperationId } from '@brickyard/contracts';
import { clusterOf, createVolume, id, obedient } from '../testing';
import { explainPlacement } from './explain-placement';
import { outlook } from './outlook';
import { addDevicesIn, createIn, fill, loseNodeIn, setHealth } from './what-if';

const GIB = 1_048_576;
const three = () => clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [100 * GIB] })));
const forkOf = ({ state, log }: ReturnType<typeof three>) => ({
  state,
  position: log.length,
  now: '2026-01-01T00:00:00.000Z',
});
const node = (number: number) => id(`a${String(number)}`) as NodeId;

describe('a fork of the log', () => {
  it('places a volume as the real decision would, and leaves the state it came from as it was', () => {
    const plane = three();
    const fork = forkOf(plane);
    const creation = createIn(fork, createVolume('v', 10));
    if (creation.kind !== 'placed') throw new Error('refused');
    expect(plane.state.volumes.size).toBe(0);
    plane.submit(createVolume('v', 10));
    expect([...plane.state.volumes.values()][0]?.bricks).toEqual(creation.volume.bricks);
    expect(creation.volume.status).toBe('ready');
  });

  it('counts how many volumes fit, and devices that are added make room for more', () => {
    const countIn = (fork: ReturnType<typeof forkOf>): number => {
      const placing = fill(fork, createVolume('shape', 10));
      let count = 0;
      for (let next = placing.next(); next.done !== true; next = placing.next()) count += 1;
      return count;
    };
    const fork = forkOf(three());
    expect(countIn(fork)).toBe(9); // A brick of 10 GiB takes a little more than that.
    const added = [1, 2, 3].reduce<typeof fork | undefined>((at, number) => {
      const devices = { nodeId: node(number), count: 1, sizeKib: kibOf(gib(100)), tags: {} };
      return at === undefined ? undefined : addDevicesIn(at, devices);
    }, fork);
    expect(countIn(added ?? fork)).toBe(19); // The last one is cut into two sets, where one brick would not fit.
  });

  it('tells which volumes suffer from the loss of a node, and how', () => {
    const plane = three();
    for (const [name, durability] of [
      ['r3', { kind: 'replicate', replica: 3 }],
      ['ec', { kind: 'disperse', data: 2, redundancy: 1 }],
    ] as const) {
      plane.submit(createVolume(name, 4, durability));
      plane.settle(obedient());
    }
    const first = loseNodeIn(forkOf(plane), node(1));
    expect(first?.volumes.map(({ name, before, after }) => [name, before, after]).sort()).toEqual([
      ['ec', 'whole', 'degraded'],
      ['r3', 'whole', 'degraded'],
    ]);
    const second = first === undefined ? undefined : loseNodeIn(first.fork, node(2));
    expect(second?.volumes.map(({ name, before, after }) => [name, before, after])).toEqual([
      ['ec', 'degraded', 'unreachable'],
      ['r3', 'degraded', 'read-only'],
    ]);
    expect(loseNodeIn(forkOf(plane), node(9))).toBeUndefined();
  });

  it.each([
    [{ kind: 'none' }, 0, 'unreachable'],
    [{ kind: 'none' }, 1, 'whole'],
    [{ kind: 'replicate', replica: 2 }, 1, 'degraded'],
    [{ kind: 'replicate', replica: 3 }, 1, 'read-only'],
    [{ kind: 'arbiter' }, 2, 'degraded'],
    [{ kind: 'disperse', data: 4, redundancy: 2 }, 4, 'degraded'],
    [{ kind: 'disperse', data: 4, redundancy: 2 }, 3, 'unreachable'],
  ] as const)('calls a set of %j with %i bricks %s', (durability, present, health) => {
    expect(setHealth(durability, present)).toBe(health);
  });
});

describe('a set with an arbiter', () => {
  it('can be read as long as one brick with data is there', () => {
    expect(setHealth({ kind: 'arbiter' }, 1, 1)).toBe('read-only');
    expect(setHealth({ kind: 'arbiter' }, 1, 0)).toBe('unreachable');
  });
});

describe('a placement told in full', () => {
  it('names every device: chosen, refused with its numbers, or not needed', () => {
    const plane = clusterOf([
      { zone: 1, devicesKib: [100 * GIB, 5 * GIB] },
      { zone: 2, devicesKib: [100 * GIB] },
      { zone: 3, devicesKib: [100 * GIB] },
      { zone: 4, devicesKib: [5 * GIB] },
    ]);
    plane.submit({ type: 'SetNodeState', operationId: id('0ff') as OperationId, nodeId: node(4), state: 'offline' });
    const before = plane.state;
    plane.submit(createVolume('v', 10));
    const planned = plane.log.map(({ event }) => event).find((event) => event.type === 'VolumePlanned');
    if (planned?.type !== 'VolumePlanned') throw new Error('not planned');
    const told = explainPlacement({ ...planned, options: planned.spec.options }, before);
    expect(told.isSameRing).toBe(true);
    expect(told.unusable).toMatchObject([{ nodeId: node(4), refusal: { rule: 'node-not-online', state: 'offline' } }]);
    const [set] = told.sets;
    expect(set?.devices).toHaveLength(4);
    expect(set?.devices.map(({ rank }) => rank)).toEqual([1, 2, 3, 4]);
    expect(set?.devices.filter(({ verdict }) => verdict === 'chosen').map(({ brickId }) => brickId)).toHaveLength(3);
    const small = set?.devices.find(({ totalKib }) => totalKib === 5 * GIB);
    expect(['too-little-space', 'node-in-set', undefined]).toContain(small?.refusal?.rule);
    expect(small?.verdict).not.toBe('chosen');
  });
});

describe('the outlook of an operation', () => {
  it('tells what is done, what runs and what is left', () => {
    const plane = three();
    plane.submit(createVolume('v', 10));
    const [operation] = [...plane.state.operations.values()];
    if (operation === undefined) throw new Error('nothing runs');
    const steps = outlook(operation);
    expect(steps[0]).toMatchObject({ status: 'current', canBeUndone: true });
    expect(steps.slice(1).every(({ status }) => status === 'to-do')).toBe(true);
  });
});
