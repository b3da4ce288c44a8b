import { VolumeId } from '@brickyard/contracts';
import { persistentMap } from '@brickyard/event-sourcing';
import { emptyControlState, type ControlState, type Volume } from './control.state';
import { encodeSnapshot, snapshotParts } from './snapshot';

const EVENTS_OF_A_CREATION = 11;

const volume = (number: number): Volume => ({
  volumeId: VolumeId.parse(number.toString(16).padStart(32, '0').split('').reverse().join('')),
  plannedAt: number * EVENTS_OF_A_CREATION,
  // Parts need no more of a volume than that it is this one.
  ...({} as Omit<Volume, 'volumeId' | 'plannedAt'>),
});

const stateWith = (volumes: readonly Volume[]): ControlState => ({
  ...emptyControlState,
  volumes: persistentMap(volumes.map((one) => [one.volumeId, one] as const)),
});

describe('a snapshot of many volumes', () => {
  const volumes = Array.from({ length: 5_000 }, (_, number) => volume(number));
  const before = [...snapshotParts(stateWith(volumes))];
  const changedBy = (later: readonly Volume[]): number => {
    const known = new Map(before.map((part) => [part.name, part]));
    const isKnown = ({ name, of }: { name: string; of: readonly unknown[] }): boolean => {
      const old = known.get(name);
      return old?.of.length === of.length && old.of.every((value, index) => value === of[index]);
    };
    return [...snapshotParts(stateWith(later))].filter((part) => !isKnown(part)).length;
  };

  it('keeps the lines of the old ones when new ones come', () => {
    expect(before.length).toBeGreaterThan(10);
    expect(changedBy(volumes)).toBe(0);
    const more = Array.from({ length: 900 }, (_, number) => volume(volumes.length + number));
    expect(changedBy([...volumes, ...more])).toBeLessThanOrEqual(3); // The last line, and what stands behind it.
  });

  it('keeps all lines but those of the ones that change or go', () => {
    const changed = volumes.map((one, index) => (index === 700 ? { ...one } : one));
    expect(changedBy(changed)).toBe(1);
    expect(changedBy(volumes.filter((_, index) => index !== 700))).toBe(1);
  });

  it('is the same whatever the order they are in', () => {
    expect([...encodeSnapshot(stateWith([...volumes].reverse()))]).toEqual([...encodeSnapshot(stateWith(volumes))]);
  });
});
