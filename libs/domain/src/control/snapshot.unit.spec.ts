import { VolumeId } from '@brickyard/contracts';
import { PartMemory, persistentMap } from '@brickyard/event-sourcing';
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
  const linesWritten = (later: readonly Volume[]): number => {
    let written = 0;
    const memory = new PartMemory(() => (written += 1));
    for (const state of [volumes, later].map(stateWith)) {
      written = 0;
      const write = memory.next();
      for (const part of snapshotParts(state)) write(part);
    }
    return written;
  };

  it('keeps the lines of the old ones when new ones come', () => {
    expect([...snapshotParts(stateWith(volumes))].length).toBeGreaterThan(10);
    expect(linesWritten(volumes)).toBe(0);
    const more = Array.from({ length: 900 }, (_, number) => volume(volumes.length + number));
    expect(linesWritten([...volumes, ...more])).toBeLessThanOrEqual(3); // The last line, and what stands behind it.
  });

  it('keeps all lines but those of the ones that change or go', () => {
    const changed = volumes.map((one, index) => (index === 700 ? { ...one } : one));
    expect(linesWritten(changed)).toBe(1);
    expect(linesWritten(volumes.filter((_, index) => index !== 700))).toBe(1);
  });

  it('is the same whatever the order they are in', () => {
    expect([...encodeSnapshot(stateWith([...volumes].reverse()))]).toEqual([...encodeSnapshot(stateWith(volumes))]);
  });
});
