/** The state as of any moment: folded from the nearest state that is at hand, or from a snapshot. */
import { type ControlState, emptyControlState, FOLD_VERSION } from '@brickyard/domain';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import { foldOne, restore } from './folding';

type At = StateAt<ControlState>;

/** States share almost everything with their neighbours, so keeping one here and there costs little. */
const KEEP_EVERY = 1_000;
const KEPT_MAX = 256;
/** Those from different snapshots share nothing: with 20,000 volumes each holds 60 MB, and all are walked when V8 looks for garbage. */
const RECENT_MAX = 3;
/** Folding this many events takes less time than reading a snapshot. */
const NEAR = 2_000;
/** Folds at once: each one holds a core while it runs. */
const FOLDS_MAX = 2;

/** Remembers states passed by and folds those asked for. */
export class PastStates {
  /** Ascending by position. */
  private kept: At[] = [];
  /** Those asked for lately, oldest first. */
  private readonly recent = new Map<number, At>();
  /** States the last fold went through: who moves through time moves in small steps. They share nearly everything. */
  private trail: At[] = [];
  private readonly underWay = new Map<number, Promise<At>>();
  private folding = 0;
  private readonly turns: (() => void)[] = [];

  constructor(private readonly ledger: LedgerReader) {}

  /** Told of every state in order; keeps one in a thousand. */
  pass(at: At): void {
    if (at.position % KEEP_EVERY !== 0) return;
    this.kept.push(at);
    if (this.kept.length > KEPT_MAX) this.kept = this.kept.slice(-KEPT_MAX);
  }

  /** The state at a position that is not past the current one. Rejects `Unavailable` when Postgres is needed and away. */
  at(position: number, current: At): Promise<At> {
    if (position === current.position) return Promise.resolve(current);
    const known = this.recent.get(position) ?? this.kept.find((one) => one.position === position);
    if (known !== undefined) return Promise.resolve(this.remember(known));
    const running = this.underWay.get(position);
    if (running !== undefined) return running;
    const work = this.inTurn(() => this.fold(position)).finally(() => this.underWay.delete(position));
    this.underWay.set(position, work);
    return work;
  }

  private async fold(position: number): Promise<At> {
    let at = await this.startFor(position);
    const trail = [at];
    for await (const events of this.ledger.readChanges({ after: at.position, upTo: position })) {
      for (const event of events) {
        at = foldOne(at, event);
        if (at.position % KEEP_EVERY === 0) trail.push(at);
      }
    }
    if (trail.length > 1) this.trail = trail;
    return this.remember(at);
  }

  private async startFor(position: number): Promise<At> {
    const candidates = [...this.kept, ...this.trail, ...this.recent.values()].filter((one) => one.position <= position);
    const nearest = candidates.reduce((best, one) => (one.position > best.position ? one : best), BEGINNING);
    if (position - nearest.position <= NEAR) return nearest;
    const snapshot = await this.ledger.latestSnapshot({ foldVersion: FOLD_VERSION, atOrBefore: position });
    return snapshot !== undefined && snapshot.position > nearest.position ? restore(snapshot) : nearest;
  }

  private remember(at: At): At {
    this.recent.delete(at.position);
    this.recent.set(at.position, at);
    for (const oldest of this.recent.keys()) {
      if (this.recent.size <= RECENT_MAX) break;
      this.recent.delete(oldest);
    }
    return at;
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.folding >= FOLDS_MAX) await new Promise<void>((resolve) => this.turns.push(resolve));
    else this.folding += 1;
    try {
      return await work();
    } finally {
      const next = this.turns.shift();
      if (next === undefined) this.folding -= 1;
      else next();
    }
  }
}

const BEGINNING: At = { state: emptyControlState, position: 0 };
