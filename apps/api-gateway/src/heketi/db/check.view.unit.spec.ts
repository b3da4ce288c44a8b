import { type ControlState, emptyControlState, evolve } from '@brickyard/domain';
import {
  brick,
  DEVICE_1,
  DEVICE_2,
  event,
  NODE_1,
  NODE_2,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../../testing/events';
import { checkView } from './check.view';
import { type Dump, dumpView } from './dump.view';

const at = '2026-01-31T03:12:00.000Z';
const operationId = nextOperation();
const bricks = [brick('9', DEVICE_1, NODE_1, 0), brick('8', DEVICE_2, NODE_2, 1)];
const events = [
  ...smallCluster(),
  volumePlanned(VOLUME, volumeSpec('v'), bricks, operationId),
  event('VolumeCreated', { operationId, volumeId: VOLUME }),
];
const state = events.reduce<ControlState>(
  (next, one, index) => evolve(next, { position: index + 1, at, event: one }),
  emptyControlState,
);
const dump = dumpView(state);
const BRICK = bricks[0]?.brickId ?? '';

/** The dump with one kind of record changed. */
const broken = <Kind extends keyof Dump>(kind: Kind, change: (entries: Dump[Kind]) => unknown): Dump => ({
  ...dump,
  [kind]: change(dump[kind]),
});
const without = (id: string) => (entries: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(entries).filter(([one]) => one !== id));

describe('the check of a database', () => {
  it('finds nothing in what the fold gives, at any position', () => {
    let now = emptyControlState;
    for (const [index, one] of events.entries()) {
      now = evolve(now, { position: index + 1, at, event: one });
      expect(checkView(dumpView(now)).totalinconsistencies).toBe(0);
    }
  });

  it.each([
    ['a brick that is gone', broken('brickentries', without(BRICK)), 3],
    ['a device that is gone', broken('deviceentries', without(DEVICE_1)), 2],
    ['a volume that is gone', broken('volumeentries', without(VOLUME)), 3],
    ['a node that is gone', broken('nodeentries', without(NODE_1)), 3],
    [
      'a marker of no operation',
      broken('volumeentries', (entries) => ({ [VOLUME]: { ...entries[VOLUME], Pending: { Id: 'x' } } })),
      1,
    ],
    [
      'an operation without its markers',
      broken('pendingoperations', () => ({ x: { Id: 'x', Actions: [{ Change: 2, Id: VOLUME, Delta: null }] } })),
      1,
    ],
    [
      'a device whose sums are wrong',
      broken('deviceentries', (entries) => {
        const entry = entries[DEVICE_1];
        const storage = { total: 10, free: 5, used: 4 };
        return { ...entries, [DEVICE_1]: { ...entry, Info: { ...entry?.Info, storage } } };
      }),
      2,
    ],
  ])('finds %s', (_, changed, count) => {
    expect(checkView(changed).totalinconsistencies).toBe(count);
  });
});
