import fc from 'fast-check';
import type { StoredEvent } from './event-log';
import { eventHash, eventIdAfter, GENESIS, GENESIS_HASH, verifyChain, verifyEnd } from './hash-chain';
import { jsonObjects } from './spec-arbitraries';

type Unhashed = Omit<StoredEvent, 'hash'>;

function chain(count: number, dataOf: (index: number) => Unhashed['data'] = (index) => ({ index })): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (let index = 0; index < count; index += 1) {
    const previous = Buffer.from(events.at(-1)?.hash ?? GENESIS_HASH, 'hex');
    const position = index + 1;
    const event: Unhashed = {
      ledger: 'control',
      position,
      streamId: `volume-${String(index % 3)}`,
      streamVersion: Math.floor(index / 3) + 1,
      eventId: eventIdAfter(previous, 'control', position),
      type: 'VolumePlanned',
      version: 1,
      data: dataOf(index),
      metadata: { correlationId: 'r-1', actor: { name: 'admin', role: 'admin' }, commandId: `c-${String(index)}` },
      recordedAt: new Date(1_700_000_000_000 + index).toISOString(),
    };
    events.push({ ...event, hash: eventHash(previous, event).toString('hex') });
  }
  return events;
}

/** Ways to tamper that keep the types right: each changes one field of an event. */
const edits: ((event: StoredEvent) => StoredEvent)[] = [
  (event) => ({ ...event, ledger: `${event.ledger}2` }),
  (event) => ({ ...event, streamId: `${event.streamId}0` }),
  (event) => ({ ...event, streamVersion: event.streamVersion + 1 }),
  (event) => ({ ...event, eventId: event.eventId.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }),
  (event) => ({ ...event, type: 'VolumeDeleted' }),
  (event) => ({ ...event, version: event.version + 1 }),
  (event) => ({ ...event, data: { ...event.data, more: 1 } }),
  (event) => ({ ...event, metadata: { ...event.metadata, actor: { name: 'somebody else' } } }),
  (event) => ({ ...event, recordedAt: event.recordedAt.replace('Z', '1Z') }),
  (event) => ({ ...event, hash: event.hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }),
  // Fields that swap their characters at the border keep the joined text, but not the lengths.
  (event) => ({ ...event, streamId: event.streamId.slice(0, -1), type: event.streamId.slice(-1) + event.type }),
];

describe('eventHash', () => {
  it('gives what it gave when the first ledger was written', () => {
    expect(chain(3).map(({ eventId, hash }) => [eventId, hash])).toEqual(VECTORS);
  });

  it('makes event ids that are UUIDs, other ones in another history', () => {
    const left = eventIdAfter(Buffer.alloc(32, 1), 'control', 5);
    expect(left).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(eventIdAfter(Buffer.alloc(32, 2), 'control', 5)).not.toBe(left);
  });
});

describe('verifyChain', () => {
  const events = chain(12);
  const places = fc.integer({ min: 0, max: events.length - 1 });

  it('accepts an untouched chain, whole or from any known end', () => {
    fc.assert(
      fc.property(fc.array(jsonObjects, { maxLength: 8 }), fc.nat(8), (data, from) => {
        const untouched = chain(data.length, (index) => data[index] ?? {});
        expect(verifyChain(untouched)).toBeUndefined();
        expect(verifyChain(untouched.slice(from), untouched[from - 1] ?? GENESIS)).toBeUndefined();
      }),
    );
  });

  it('names an edited event, or the next one when its hash was edited to fit', () => {
    fc.assert(
      fc.property(places, fc.constantFrom(...edits), (place, edit) => {
        const edited = events.map((event, index) => (index === place ? edit(event) : event));
        expect(verifyChain(edited)).toMatchObject({ position: place + 1, problem: 'hash' });
      }),
    );
    const [first, second, ...rest] = events;
    if (first === undefined || second === undefined) throw new Error('the chain is too short');
    const forged = { ...first, type: 'VolumeDeleted' };
    const fitting = { ...forged, hash: eventHash(Buffer.from(GENESIS_HASH, 'hex'), forged).toString('hex') };
    expect(verifyChain([fitting, second, ...rest])).toMatchObject({ position: 2, problem: 'hash' });
  });

  it('names a deleted event, and by the end of the ledger a deleted tail', () => {
    fc.assert(
      fc.property(places, (place) => {
        const fewer = events.filter((_, index) => index !== place);
        const end = events.at(-1) ?? GENESIS;
        const problem = verifyChain(fewer) ?? verifyEnd(fewer.at(-1) ?? GENESIS, end);
        const isLast = place === events.length - 1;
        expect(problem).toMatchObject({ position: place + 1, problem: isLast ? 'end' : 'gap' });
      }),
    );
  });

  it('names an inserted event', () => {
    fc.assert(
      fc.property(places, places, (place, copied) => {
        const inserted = events.flatMap((event, index) =>
          index === place ? [{ ...event, ...events[copied], position: index + 1 }, event] : [event],
        );
        const expected = place === copied ? place + 2 : place + 1;
        expect(verifyChain(inserted)).toMatchObject({ position: expected, problem: place === copied ? 'gap' : 'hash' });
      }),
    );
  });

  it('names the first of two swapped events, with or without their positions', () => {
    fc.assert(
      fc.property(places, places, fc.boolean(), (left, right, renumber) => {
        fc.pre(left !== right);
        const order = events.map((_, index) => (index === left ? right : index === right ? left : index));
        const swapped = order.flatMap((from, index) => {
          const event = events[from];
          return event === undefined ? [] : [renumber ? { ...event, position: index + 1 } : event];
        });
        expect(verifyChain(swapped)).toMatchObject({
          position: Math.min(left, right) + 1,
          problem: renumber ? 'hash' : 'gap',
        });
      }),
    );
  });
});

/** Event id and hash of the first events of a ledger: they must never change, or no existing log verifies any more. */
const VECTORS = [
  ['1674d1ec-43ab-8546-b5d5-7062d288fd06', '99e30305f56c42017338ef2be4f7286bafd9be2d3b965ad527bfa11dfd7506a4'],
  ['4c94221f-32ae-8ab5-80f9-72b9ba399de2', '8bfe5566b96ab426fa3ced5b5ce683ab2ca20961870141d6a59aa44f50ab09cf'],
  ['d45c87fe-94e5-80ae-b0ad-4ca1be8ee5c5', '4c01dee27091b64dab7db10f03cef1219f5030cb4f98ce62da0d7941c2f99d37'],
];
