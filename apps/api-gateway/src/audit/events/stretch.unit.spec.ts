import type { StoredEvent } from '@brickyard/event-sourcing';
import type { ReadRange } from '@brickyard/event-sourcing/postgres';
import fc from 'fast-check';
import { Pages, Stretch } from './stretch';

const event = (position: number): StoredEvent => ({
  ledger: 'control',
  position,
  streamId: `volume-${String(position % 3)}`,
  streamVersion: 1,
  eventId: `id-${String(position)}`,
  type: 'VolumeRenamed',
  version: 1,
  data: { name: `Größe ${'ü'.repeat(position % 7)}` },
  metadata: { correlationId: 'c', actor: { name: 'admin' } },
  recordedAt: '2026-01-31T03:12:00.000Z',
  hash: 'h',
});

const events = (first: number, count: number): StoredEvent[] =>
  Array.from({ length: count }, (_, index) => event(first + index));

const idsIn = (frames: Uint8Array): number[] =>
  [
    ...Buffer.from(frames)
      .toString()
      .matchAll(/^id: (\d+)$/gm),
  ].map(([, id]) => Number(id));

const positionsOf = (list: readonly StoredEvent[]): number[] => list.map(({ position }) => position);

describe('Stretch', () => {
  it('gives the frames from any position on, whole, of those events that are wanted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(35),
        fc.option(fc.nat(2), { nil: undefined }),
        (first, count, offset, residue) => {
          const all = events(first, count);
          const isWanted = residue === undefined ? undefined : ({ position }: StoredEvent) => position % 3 === residue;
          const from = first + Math.min(offset, count);
          const frames = Stretch.of(all)?.framesFrom(from, isWanted) ?? Buffer.alloc(0);
          const wanted = all.filter((one) => one.position >= from && (isWanted?.(one) ?? true));
          expect(idsIn(frames)).toEqual(positionsOf(wanted));
          const data = [
            ...Buffer.from(frames)
              .toString()
              .matchAll(/^data: (.*)$/gm),
          ];
          expect(data.map(([, text]) => (JSON.parse(text ?? '') as { data: unknown }).data)).toEqual(
            wanted.map((one) => one.data),
          );
        },
      ),
    );
  });
});

describe('Pages', () => {
  /** A log of so many events that counts how often it is read. */
  function logOf(head: number): { reads: ReadRange[]; ledger: ConstructorParameters<typeof Pages>[0] } {
    const reads: ReadRange[] = [];
    return {
      reads,
      ledger: {
        async *read(range) {
          reads.push(range);
          await Promise.resolve();
          const last = Math.min(head, range.upTo ?? head);
          if (last > range.after) yield events(range.after + 1, last - range.after);
        },
      },
    };
  }

  it('reads the past once for all who catch up, wherever each one begins', async () => {
    const { reads, ledger } = logOf(5_400);
    const pages = new Pages(ledger);
    const follow = async (from: number): Promise<number[]> => {
      const seen: number[] = [];
      for (let next = from; next <= 5_400;) {
        const stretch = await pages.holding(next, 5_400);
        if (stretch === undefined) throw new Error(`nothing at ${String(next)}`);
        seen.push(...idsIn(stretch.framesFrom(next)));
        next = stretch.last + 1;
      }
      return seen;
    };
    const followers = [1, 1, 2, 999, 1_000, 1_001];
    const seen = await Promise.all(followers.map(follow));
    seen.forEach((positions, index) => {
      const from = followers[index] ?? 0;
      expect(positions).toEqual(positionsOf(events(from, 5_401 - from)));
    });
    expect(reads.filter(({ upTo }) => upTo !== 5_400)).toHaveLength(5);
  });

  it('asks again after a read that failed', async () => {
    const { ledger } = logOf(1_000);
    let isAway = true;
    const pages = new Pages({
      read: (range) => {
        if (isAway) throw new Error('Postgres is away');
        return ledger.read(range);
      },
    });
    await expect(pages.holding(1, 1_000)).rejects.toThrow('Postgres is away');
    isAway = false;
    expect((await pages.holding(1, 1_000))?.last).toBe(1_000);
  });
});
