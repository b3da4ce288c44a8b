/** Where events belong that do not follow the one before them: exchanged, taken out, put in, or replaced. Pure. */
import { type Finding, followsAt, type RawEvent, type TamperingKind } from './tampering';

/** An event that does not follow the one before it, with the hash of that one. */
export interface Flagged {
  readonly event: RawEvent;
  /** Hexadecimal. */
  readonly follows: string;
  /** Its position, had nothing been taken out or put in before it. */
  readonly place: number;
  /** The position its hash says, once known. */
  readonly belongsAt?: number;
}

type Located = Flagged & { readonly belongsAt: number };

/** Every place is tried for every event, after every hash: more would take too long. */
const SEARCHED_MAX = 32;

/** The same, with the places found among those of the others; an event that stands where it belongs is left out. */
export function findPlaces(flagged: readonly Flagged[], findings: readonly Finding[]): readonly Flagged[] {
  const searched = flagged.slice(0, SEARCHED_MAX);
  const places = [...new Set([...searched.map(({ place }) => place), ...findings.map(({ position }) => position)])];
  const texts = new Set(searched.flatMap(({ event, follows }) => [event.hash, follows]));
  const hashes = [...texts].filter((text) => text !== '').map((text) => Buffer.from(text, 'hex'));
  return flagged.flatMap((one) => {
    if (one.belongsAt !== undefined || !searched.includes(one)) return [one];
    const belongsAt = places
      .slice(0, 2 * SEARCHED_MAX)
      .find((place) => hashes.some((hash) => followsAt(one.event, hash, place)));
    if (belongsAt === undefined) return [one];
    return belongsAt === one.place ? [] : [{ ...one, belongsAt }];
  });
}

/** What was done, told from the events that do not fit. */
export function describeChange(flagged: readonly Flagged[]): readonly Finding<TamperingKind>[] {
  const located = flagged.filter((one): one is Located => one.belongsAt !== undefined);
  const lost = flagged.filter(({ belongsAt }) => belongsAt === undefined);
  if (located.length === 0) return lost.map(replaced);
  const places = new Set(located.map(({ place }) => place));
  const isExchange = located.every(({ belongsAt }) => places.has(belongsAt));
  return isExchange ? [reordered(located), ...lost.map(replaced)] : shifted(located, lost);
}

/** Some places that events belong at are taken by others that fit nowhere, or are not there at all. */
function shifted(located: readonly Located[], lost: readonly Flagged[]): readonly Finding<TamperingKind>[] {
  const [first] = located;
  if (first === undefined) return lost.map(replaced);
  const { place, belongsAt } = first;
  const isNear = (one: Flagged): boolean => Math.abs(one.place - place) <= located.length + 1;
  const others = lost.filter((one) => !isNear(one)).map(replaced);
  if (located.length > 1 && lost.length === 0) return [reordered(located)];
  if (belongsAt > place) {
    const from = Math.min(place, ...lost.filter(isNear).map((one) => one.place));
    const count = String(belongsAt - place);
    const detail = `${count} event(s) taken out before what stands at position ${String(from)} now, and the rest renumbered`;
    return [{ kind: 'deleted', position: from, detail }, ...others];
  }
  const detail = `${String(place - belongsAt)} event(s) put in here: what belongs here stands at position ${String(place)}`;
  return [{ kind: 'inserted', position: belongsAt, detail }, ...others];
}

function reordered(located: readonly Located[]): Finding<TamperingKind> {
  const moves = located.map(({ place, belongsAt }) => `the event at ${String(place)} belongs at ${String(belongsAt)}`);
  return { kind: 'reordered', position: Math.min(...located.map(({ place }) => place)), detail: moves.join('; ') };
}

function replaced({ event, place }: Flagged): Finding<TamperingKind> {
  const before = String(place - 1);
  const detail = `${event.type} of ${event.streamId} at position ${String(place)} does not follow event ${before}: one of the two is not what was recorded, and has a hash of its own`;
  return { kind: 'replaced', position: Math.max(1, place - 1), detail };
}
