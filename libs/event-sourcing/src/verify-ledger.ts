/** The auditor's walk along a ledger: whether every event is the one that was written, and what was done to it if not. */
import type { ChainEnd } from './event-log';
import { canonicalEventHash, eventIdAfter, GENESIS_HASH } from './hash-chain';
import { describeChange, findPlaces, type Flagged } from './misplaced-events';
import { type Finding, followsAt, type RawEvent, type TamperingKind } from './tampering';

/** A walk along a ledger from its first event. */
export interface ChainAudit {
  /** Takes the next event, in order of position; false when it does not follow what was taken before. */
  take(event: RawEvent): boolean;
  /** Version of every stream, as its events count. */
  readonly streams: ReadonlyMap<string, number>;
  /** What was found, once everything is taken; `strays` are positions after the head at which events stand. */
  end(head: ChainEnd, strays?: readonly number[]): readonly Finding<TamperingKind>[];
}

/** Findings told in full. */
const FINDINGS_MAX = 200;
/** Events that do not fit and whose right place is searched for. */
const SEARCHES_MAX = 100;
/** So many positions an event is searched for before and after its own. */
const REACH = 16;
/** Hashes an event may follow, newest last. */
const RECENT_MAX = 8;

interface Link {
  readonly position: number;
  readonly hash: Buffer;
}

/** Where an event would fit; to be confirmed by the next one. */
interface Guess {
  readonly shift: number;
  readonly after: Link;
}

/** Begins a walk along a ledger. */
export function auditChain(ledger: string): ChainAudit {
  return new ChainWalk(ledger);
}

class ChainWalk implements ChainAudit {
  readonly streams = new Map<string, number>();
  private readonly findings: Finding<TamperingKind>[] = [];
  private findingsMore = 0;
  private flagged: Flagged[] = [];
  private searches = 0;
  /** Absent after a gap: what the next event follows is lost. */
  private previous: Buffer | undefined = Buffer.from(GENESIS_HASH, 'hex');
  private last: ChainEnd = { position: 0, hash: GENESIS_HASH };
  private recent: Link[] = [{ position: 0, hash: Buffer.from(GENESIS_HASH, 'hex') }];
  /** How far behind their first position events stand, since some before them were taken out (or put in, when negative). */
  private shift = 0;
  private guess: Guess | undefined;

  constructor(private readonly ledger: string) {}

  take(event: RawEvent): boolean {
    if (event.position !== this.last.position + 1) this.gap(event.position);
    this.countStream(event);
    const follows = this.previous === undefined || followsAt(event, this.previous, event.position + this.shift);
    if (follows) this.guess = undefined;
    else if (this.previous !== undefined) this.misfit(event, this.previous);
    this.previous = Buffer.from(event.hash, 'hex');
    this.last = event;
    this.remember({ position: event.position, hash: this.previous });
    return follows;
  }

  end(head: ChainEnd, strays: readonly number[] = []): readonly Finding<TamperingKind>[] {
    for (const finding of describeChange(findPlaces(this.flagged, this.findings))) this.report(finding);
    this.flagged = [];
    this.checkEnd(head);
    const [first] = strays;
    if (first !== undefined) {
      const detail = `${counted(strays.length)} from position ${String(first)} on, after the recorded end of the ledger`;
      this.report({ kind: 'inserted', position: first, detail });
    }
    this.findings.sort((one, other) => one.position - other.position);
    if (this.findingsMore === 0) return this.findings;
    const detail = `${String(this.findingsMore)} more findings are not told`;
    return [...this.findings, { kind: 'edited', position: this.last.position, detail }];
  }

  private gap(found: number): void {
    const from = this.last.position + 1;
    const detail = `${counted(found - from)} missing: positions ${String(from)} to ${String(found - 1)}; what event ${String(found)} follows is lost with them`;
    this.report({ kind: 'deleted', position: from, detail });
    this.previous = undefined;
    this.last = { position: found - 1, hash: '' };
  }

  private countStream({ streamId, streamVersion, position }: RawEvent): void {
    const before = this.streams.get(streamId) ?? 0;
    if (streamVersion !== before + 1) {
      const detail = `${streamId} goes from version ${String(before)} to ${String(streamVersion)}`;
      this.report({ kind: 'stream', position, detail });
    }
    this.streams.set(streamId, streamVersion);
  }

  private misfit(event: RawEvent, previous: Buffer): void {
    const place = event.position + this.shift;
    const { guess: before } = this;
    this.guess = undefined;
    if (before !== undefined && followsAt(event, previous, event.position + before.shift)) {
      this.shiftTo(before, event);
      return;
    }
    const rightId = eventIdAfter(previous, this.ledger, place);
    if (event.eventId === rightId || followsAt({ ...event, eventId: rightId }, previous, place)) {
      this.edited(event, previous, place);
      return;
    }
    const guess = this.search(event);
    if (guess?.shift === this.shift) return; // Whole itself: it is the one before it that is another.
    this.guess = guess;
    const found = guess === undefined ? {} : { belongsAt: event.position + guess.shift };
    this.flag({ event, follows: this.last.hash, place, ...found });
  }

  private edited(event: RawEvent, previous: Buffer, place: number): void {
    const actual = canonicalEventHash(previous, { ...event, position: place }, event.data, event.metadata);
    this.remember({ position: event.position, hash: actual });
    const detail = `${event.type} of ${event.streamId} is not what was recorded: it has hash ${event.hash}, its content gives ${actual.toString('hex')}`;
    this.report({ kind: 'edited', position: event.position, detail });
  }

  /** The place an event's hash fits, near its own, after one of the hashes seen last. */
  private search(event: RawEvent): Guess | undefined {
    this.searches += 1;
    if (this.searches > SEARCHES_MAX) return undefined;
    for (let distance = 0; distance <= REACH; distance += 1) {
      for (const shift of distance === 0 ? [this.shift] : [this.shift + distance, this.shift - distance]) {
        const after = this.recent.find(({ hash }) => followsAt(event, hash, event.position + shift));
        if (after !== undefined) return { shift, after };
      }
    }
    return undefined;
  }

  /** Two events in a row fit another place, the same way: everything from here on was moved. */
  private shiftTo({ shift, after }: Guess, event: RawEvent): void {
    const moved = shift - this.shift;
    let first = event.position;
    while (this.flagged.at(-1)?.event.position === first - 1) {
      first -= 1;
      this.flagged.pop();
    }
    const count = counted(Math.abs(moved));
    if (moved > 0) {
      const detail = `${count} taken out before ${this.describe(first)}, and the rest renumbered`;
      this.report({ kind: 'deleted', position: first + this.shift, detail });
    } else {
      const position = after.position + 1;
      this.report({ kind: 'inserted', position, detail: `${count} put in here, and the rest renumbered` });
    }
    this.shift = shift;
  }

  private describe(position: number): string {
    return `what stands at position ${String(position)} now`;
  }

  private checkEnd(head: ChainEnd): void {
    const { position, hash } = this.last;
    const shift = this.guess?.shift ?? this.shift;
    if (position < head.position && position + shift !== head.position) {
      const detail = `the ledger is recorded to end at position ${String(head.position)}, but its events end at ${String(position)}`;
      this.report({ kind: 'truncated', position: position + 1, detail });
    } else if (position === head.position && hash !== head.hash) {
      const detail = `the end of the ledger is recorded with hash ${head.hash}, but its last event has ${hash}: that event was replaced, or the record`;
      this.report({ kind: 'head', position, detail });
    }
  }

  private flag(flagged: Flagged): void {
    if (this.flagged.length < FINDINGS_MAX) this.flagged.push(flagged);
    else this.findingsMore += 1;
  }

  private report(finding: Finding<TamperingKind>): void {
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding);
    else this.findingsMore += 1;
  }

  private remember(link: Link): void {
    this.recent.push(link);
    if (this.recent.length > RECENT_MAX) this.recent.shift();
  }
}

const counted = (count: number): string => (count === 1 ? '1 event' : `${String(count)} events`);
