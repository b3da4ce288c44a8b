/** The half of the audit that knows the domain: fold, snapshots, decisions, invariants. */
import { isFoldable, laterReleaseText } from '@brickyard/contracts';
import {
  decodeSnapshot,
  emptyControlState,
  encodeSnapshot,
  evolveStored,
  FOLD_VERSION,
  snapshotParts,
  type ControlState,
} from '@brickyard/domain';
import {
  PartMemory,
  Unavailable,
  type ChainEnd,
  type Finding,
  type JsonObject,
  type RawEvent,
  type StoredEvent,
} from '@brickyard/event-sourcing';
import { openAuditSource, openLedgerReader, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { describeError } from '@brickyard/service-host';
import { compareSnapshot } from './compare-snapshot';
import { bricksGivenBy, placementIn, redecide } from './decisions';
import { checkPlanned, checkWhole } from './invariants';

export interface FoldWalkOrder {
  readonly pgUrl: string;
  readonly ledger: string;
  readonly head: ChainEnd;
  /** Where to begin: a kept snapshot that somebody else compares, or 0. */
  readonly from: number;
  /** Positions of kept snapshots of today's fold, ascending. */
  readonly snapshots: readonly number[];
  /** Whether the fold at the head shall be told. */
  readonly tellState: boolean;
}

export interface FoldWalkReport {
  /** False when today's code cannot fold the whole ledger. */
  readonly isWhole: boolean;
  /** The fold at the head as a snapshot, when it was asked for and there is one. */
  readonly state?: readonly string[];
  readonly events: number;
  /** The event of a later release at which the fold ends, in words; absent when there is none. */
  readonly later?: string;
  /** Positions of the snapshots compared. */
  readonly snapshots: readonly number[];
  readonly decisions: number;
  readonly findings: readonly Finding[];
}

const FINDINGS_MAX = 200;

/** Folds from the first event to the head and looks at everything that passes by. */
export async function walkFold(order: FoldWalkOrder): Promise<FoldWalkReport> {
  const { pgUrl, ledger, from, head, snapshots, tellState } = order;
  const source = await openAuditSource(pgUrl, ledger);
  const reader = openLedgerReader({ url: pgUrl, ledger, connectionsMax: 1 });
  const walk = new FoldWalk(reader, snapshots);
  try {
    if (from > 0) await walk.beginAt(from);
    for await (const batch of source.readRaw({ after: from, upTo: head.position })) {
      for (const event of batch) {
        walk.take(event);
        if (walk.isAtSnapshot(event.position)) await walk.compareSnapshot(event.position);
      }
      if (walk.isOver) break;
    }
  } finally {
    await Promise.all([source.close(), reader.close()]);
  }
  return walk.end(head, tellState);
}

class FoldWalk {
  isOver = false;
  private state: ControlState = emptyControlState;
  private events = 0;
  private later: string | undefined;
  private readonly compared: number[] = [];
  private decisions = 0;
  private readonly findings: Finding[] = [];
  private readonly texts = new PartMemory((text) => text);
  private readonly snapshots: ReadonlySet<number>;

  constructor(
    private readonly reader: LedgerReader,
    snapshots: readonly number[],
  ) {
    this.snapshots = new Set(snapshots);
  }

  async beginAt(position: number): Promise<void> {
    const snapshot = await this.reader.latestSnapshot({ foldVersion: FOLD_VERSION, atOrBefore: position });
    if (snapshot?.position !== position) throw new Unavailable(`the snapshot of position ${String(position)} is gone`);
    this.state = decodeSnapshot(snapshot.chunks);
  }

  take(raw: RawEvent): void {
    if (this.isOver) return;
    if (!isFoldable(raw.type, raw.version)) {
      this.later = laterReleaseText(raw);
      this.isOver = true;
      return;
    }
    try {
      this.fold(storedFrom(raw));
    } catch (error) {
      const detail = `today's code cannot fold ${raw.type} of ${raw.streamId}: ${describeError(error)}; nothing after it was folded`;
      this.findings.push({ kind: 'fold', position: raw.position, detail });
      this.isOver = true;
    }
  }

  isAtSnapshot(position: number): boolean {
    return !this.isOver && this.snapshots.has(position);
  }

  async compareSnapshot(position: number): Promise<void> {
    const snapshot = await this.reader.latestSnapshot({ foldVersion: FOLD_VERSION, atOrBefore: position });
    if (snapshot?.position !== position) return; // Pruned since the audit began.
    this.compared.push(position);
    const textOf = this.texts.next();
    const expected = Array.from(snapshotParts(this.state), textOf);
    const finding = compareSnapshot(position, expected, snapshot.chunks);
    this.report(finding === undefined ? [] : [finding]);
  }

  end({ position }: ChainEnd, tellState: boolean): FoldWalkReport {
    if (!this.isOver) this.report(checkWhole(this.state, position));
    return {
      isWhole: !this.isOver,
      ...(tellState && !this.isOver ? { state: [...encodeSnapshot(this.state)] } : {}),
      events: this.events,
      ...(this.later === undefined ? {} : { later: this.later }),
      snapshots: this.compared,
      decisions: this.decisions,
      findings: this.findings,
    };
  }

  private fold(event: StoredEvent): void {
    const before = this.state;
    this.state = evolveStored(before, event);
    this.events += 1;
    const placement = placementIn(event);
    if (placement !== undefined) {
      this.decisions += 1;
      const finding = redecide(placement, before, event);
      this.report(finding === undefined ? [] : [finding]);
    }
    this.report(checkPlanned(bricksGivenBy(event), this.state, event.position));
  }

  private report(findings: readonly Finding[]): void {
    this.findings.push(...findings.slice(0, Math.max(0, FINDINGS_MAX - this.findings.length)));
  }
}

/** Metadata plays no part in the fold; parsing it would take a third of the time. */
const NO_METADATA: StoredEvent['metadata'] = { correlationId: '', actor: { name: '' } };

const storedFrom = (raw: RawEvent): StoredEvent => ({
  ...raw,
  data: JSON.parse(raw.data) as JsonObject,
  metadata: NO_METADATA,
});
