import fc from 'fast-check';
import { canonicalJson } from './canonical-json';
import type { ChainEnd, StoredEvent } from './event-log';
import { eventHash, eventIdAfter, GENESIS, GENESIS_HASH } from './hash-chain';
import type { RawEvent } from './tampering';
import { auditChain } from './verify-ledger';

const LENGTH = 40;
/** Each misplaced event is searched for at many places; so many examples are enough. */
const numRuns = 25;

/** The end of the chain after one more event. */
function sealed(previous: ChainEnd, stream: string, streamVersion: number, data: StoredEvent['data']): RawEvent {
  const before = Buffer.from(previous.hash, 'hex');
  const position = previous.position + 1;
  const event = {
    ledger: 'control',
    position,
    streamId: stream,
    streamVersion,
    eventId: eventIdAfter(before, 'control', position),
    type: 'VolumePlanned',
    version: 1,
    recordedAt: new Date(1_700_000_000_000 + position).toISOString(),
    data,
    metadata: { correlationId: 'r', actor: { name: 'admin' } },
  };
  const hash = eventHash(before, event).toString('hex');
  return { ...event, data: canonicalJson(data), metadata: canonicalJson(event.metadata), hash };
}

const chain: RawEvent[] = [];
for (let index = 0; index < LENGTH; index += 1) {
  chain.push(sealed(chain.at(-1) ?? GENESIS, `volume-${String(index % 3)}`, Math.floor(index / 3) + 1, { index }));
}
const head: ChainEnd = chain.at(-1) ?? GENESIS;

function audit(events: readonly RawEvent[], end: ChainEnd = head, strays: readonly number[] = []) {
  const walk = auditChain('control');
  for (const event of events) walk.take(event);
  return walk.end(end, strays);
}

/** What was found besides streams that do not count on: they only bear it out. */
const named = (events: readonly RawEvent[], end: ChainEnd = head) =>
  audit(events, end)
    .filter(({ kind }) => kind !== 'stream')
    .map(({ kind, position }) => ({ kind, position }));

const renumbered = (events: readonly RawEvent[]): RawEvent[] =>
  events.map((event, index) => ({ ...event, position: index + 1 }));
const flipped = (hash: string): string => hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
const places = fc.integer({ min: 0, max: LENGTH - 1 });

const edits: ((event: RawEvent) => RawEvent)[] = [
  (event) => ({ ...event, streamId: `${event.streamId}0` }),
  (event) => ({ ...event, streamVersion: event.streamVersion + 1 }),
  (event) => ({ ...event, eventId: flipped(event.eventId) }),
  (event) => ({ ...event, type: 'VolumeDeleted' }),
  (event) => ({ ...event, version: event.version + 1 }),
  (event) => ({ ...event, data: '{"index":-7}' }),
  (event) => ({ ...event, data: event.data.replace(':', ': ') }),
  (event) => ({ ...event, data: event.data.replace('{', '{"index":9,') }),
  (event) => ({ ...event, metadata: event.metadata.replace('admin', 'nobody') }),
  (event) => ({ ...event, recordedAt: event.recordedAt.replace('Z', '1Z') }),
  (event) => ({ ...event, hash: flipped(event.hash) }),
];

describe('the walk along a ledger', () => {
  it('finds nothing in an untouched one, nor in an empty one', () => {
    expect(audit(chain)).toEqual([]);
    expect(audit([], GENESIS)).toEqual([]);
  });

  it('names an edited event and no other', () => {
    fc.assert(
      fc.property(places, fc.constantFrom(...edits), (place, edit) => {
        const found = named(chain.map((event, index) => (index === place ? edit(event) : event)));
        const isLastHash = place === LENGTH - 1 && edit === edits.at(-1);
        expect(found).toEqual([
          { kind: 'edited', position: place + 1 },
          ...(isLastHash ? [{ kind: 'head', position: LENGTH }] : []),
        ]);
      }),
    );
  });

  it('names every edited event when there are several', () => {
    fc.assert(
      fc.property(fc.uniqueArray(places, { minLength: 2, maxLength: 6 }), (several) => {
        const found = named(
          chain.map((event, index) => (several.includes(index) ? { ...event, type: 'Other' } : event)),
        );
        expect(found.map(({ position }) => position)).toEqual(several.map((place) => place + 1).sort((a, b) => a - b));
      }),
    );
  });

  it('names an event that was replaced together with its hash', () => {
    fc.assert(
      fc.property(places, (place) => {
        const before = Buffer.from(chain[place - 1]?.hash ?? GENESIS_HASH, 'hex');
        const found = named(
          chain.map((event, index) => {
            if (index !== place) return event;
            const forged = { ...event, type: 'VolumeDeleted' };
            const parsed = { data: { index }, metadata: { correlationId: 'r', actor: { name: 'admin' } } };
            return { ...forged, hash: eventHash(before, { ...forged, ...parsed }).toString('hex') };
          }),
        );
        expect(found).toEqual([{ kind: place === LENGTH - 1 ? 'head' : 'replaced', position: place + 1 }]);
      }),
    );
  });

  it('names deleted events, also when the rest was renumbered', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: LENGTH - 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        (place, count, renumber) => {
          const fewer = chain.filter((_, index) => index < place || index >= place + count);
          const found = renumber ? named(renumbered(fewer)) : named(fewer);
          const last = fewer.length - place;
          const isAtEnd = renumber && last < 2;
          if (isAtEnd) expect(found.length).toBeGreaterThan(0);
          else expect(found).toEqual([{ kind: 'deleted', position: place + 1 }]);
        },
      ),
      { numRuns },
    );
  });

  it('names an inserted event, with a hash that fits or one that does not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LENGTH - 3 }), fc.boolean(), (place, fits) => {
        const before = chain[place - 1] ?? GENESIS;
        const made = sealed(before, 'volume-9', 1, { index: -1 });
        const inserted = { ...made, hash: fits ? made.hash : flipped(made.hash) };
        const more = renumbered([...chain.slice(0, place), inserted, ...chain.slice(place)]);
        const end = { position: LENGTH + 1, hash: head.hash };
        // With the right id it might as well be an edited event, but for the next one, which stands where it did not.
        const found = named(more, end).filter(({ kind }) => kind !== 'edited');
        expect(found).toEqual([{ kind: 'inserted', position: place + 1 }]);
      }),
    );
  });

  it('names two events that were exchanged', () => {
    fc.assert(
      fc.property(places, places, (left, right) => {
        fc.pre(left < right);
        const order = chain.map((_, index) => (index === left ? right : index === right ? left : index));
        const swapped = renumbered(order.flatMap((from) => chain[from] ?? []));
        const found = audit(swapped).filter(({ kind }) => kind === 'reordered');
        expect(found).toMatchObject([{ position: left + 1 }]);
        expect(found[0]?.detail).toContain(`the event at ${String(right + 1)} belongs at ${String(left + 1)}`);
        expect(named(swapped).filter(({ kind }) => !['reordered', 'head'].includes(kind))).toEqual([]);
      }),
    );
  });

  it('names a tail that was cut off, an end that was recorded anew, and events after the end', () => {
    fc.assert(
      fc.property(places, (place) => {
        expect(named(chain.slice(0, place))).toEqual([{ kind: 'truncated', position: place + 1 }]);
      }),
    );
    expect(named(chain, { position: LENGTH, hash: flipped(head.hash) })).toEqual([{ kind: 'head', position: LENGTH }]);
    expect(audit(chain, head, [LENGTH + 1])).toMatchObject([{ kind: 'inserted', position: LENGTH + 1 }]);
  });

  it('tells of streams whose events do not count on', () => {
    const walk = auditChain('control');
    const [first] = chain;
    if (first === undefined) throw new Error('the chain is empty');
    walk.take(sealed(GENESIS, 'volume-1', 2, {}));
    expect(walk.end(sealed(GENESIS, 'volume-1', 2, {}))).toMatchObject([{ kind: 'stream', position: 1 }]);
    expect(walk.streams.get('volume-1')).toBe(2);
  });
});
