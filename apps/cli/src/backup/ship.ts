/** Copies the log into a folder as it grows. The folder alone says how far it is: whoever starts goes on there. */
import {
  canonicalEventHash,
  checkpointLine,
  type ChainEnd,
  handOverLine,
  type EventMetadata,
  type RawEvent,
} from '@brickyard/event-sourcing';
import {
  openAuditSource,
  openCheckpointTable,
  openLedgerReader,
  type AuditSource,
  type CheckpointTable,
  type KeptAnswer,
  type LedgerReader,
} from '@brickyard/event-sourcing/postgres';
import { type BackupFolder, endOf, inOrder, type Segment } from './segments';

/** Events of a full segment. */
const SEGMENT_EVENTS = 10_000;
/** Pieces that are put together at the latest. */
const PIECES_MAX = 100;

/** How one ledger is copied. */
export interface ShipOptions {
  readonly pgUrl: string;
  readonly folder: BackupFolder;
  readonly isZipped: boolean;
  /** Events in a full segment; for tests to make small. */
  readonly segmentEvents?: number;
}

/** What the copy lacks. */
export interface Lag {
  readonly position: number;
  readonly events: number;
  /** Age of the first event that is not in the folder; 0 when all are. */
  readonly seconds: number;
}

/** The log is not the one that the folder holds, or it does not fit together: nothing of it is copied. */
export class NotShipped extends Error {
  override readonly name = 'NotShipped';
}

/** Copies one ledger, a step at a time. */
export class Shipper {
  private source: AuditSource | undefined;
  private readonly reader: LedgerReader;
  private readonly table: CheckpointTable;
  private end: ChainEnd | undefined;
  private pieces: Segment[] = [];
  /** Which checkpoints and hand-overs the folder has: the last position and how many. */
  private signedState = '0/0';

  constructor(private readonly options: ShipOptions) {
    const { ledger } = options.folder;
    this.reader = openLedgerReader({ url: options.pgUrl, ledger, connectionsMax: 1 });
    this.table = openCheckpointTable({ url: options.pgUrl, ledger });
  }

  /** Copies what is new; resolves when it is on the disk. */
  async step(): Promise<Lag> {
    const { folder } = this.options;
    this.end ??= await this.begin();
    const head = await this.reader.head();
    if (head.position < this.end.position) {
      throw new NotShipped(
        `the log ends at position ${String(head.position)}, the backup has ${String(this.end.position)}: the log was cut, or put back from an older backup; use another folder`,
      );
    }
    while (this.end.position < head.position) await this.shipPiece(this.end, head.position);
    await this.shipCheckpoints();
    const manifest = await folder.manifest();
    if (manifest?.position !== this.end.position) await folder.writeManifest(this.end);
    return this.lag();
  }

  /** What is missing at this moment. */
  async lag(): Promise<Lag> {
    const position = this.end?.position ?? 0;
    const head = await this.reader.head();
    const events = head.position - position;
    if (events <= 0) return { position, events: 0, seconds: 0 };
    for await (const [first] of this.reader.read({ after: position, upTo: position + 1 })) {
      const at = Date.parse(first?.recordedAt ?? '');
      return { position, events, seconds: Math.max(0, (Date.now() - at) / 1_000) };
    }
    return { position, events, seconds: 0 };
  }

  async close(): Promise<void> {
    await Promise.all([this.source?.close(), this.reader.close(), this.table.close()]);
  }

  /** Where the folder ends; the log must have the same event there. */
  private async begin(): Promise<ChainEnd> {
    const { folder } = this.options;
    await folder.prepare();
    const end = await endOf(folder);
    this.pieces = piecesOf(await folder.segments(), this.segmentEvents);
    if (end.position === 0) return end;
    for await (const [event] of this.reader.read({ after: end.position - 1, upTo: end.position })) {
      if (event?.hash === end.hash) return end;
      throw new NotShipped(
        `the log is not the one in ${folder.path}: at position ${String(end.position)} the backup has hash ${end.hash}, the log ${event?.hash ?? ''}`,
      );
    }
    throw new NotShipped(
      `the log has no position ${String(end.position)}, the backup in ${folder.path} has: the log was cut, or is another one`,
    );
  }

  private get segmentEvents(): number {
    return this.options.segmentEvents ?? SEGMENT_EVENTS;
  }

  private async shipPiece(after: ChainEnd, headPosition: number): Promise<void> {
    const { folder, isZipped, pgUrl } = this.options;
    const upTo = Math.min(headPosition, after.position + this.segmentEvents);
    this.source ??= await openAuditSource(pgUrl, folder.ledger);
    const events: RawEvent[] = [];
    try {
      for await (const batch of this.source.readRaw({ after: after.position, upTo })) events.push(...batch);
    } catch (error) {
      const { source } = this;
      this.source = undefined; // A connection that failed is not used again.
      await source.close().catch(() => undefined);
      throw error;
    }
    const end = checked(events, after, upTo);
    const segment = await folder.writeSegment(
      { boundaryHash: after.hash, events, answers: await this.answersTo(events) },
      isZipped,
    );
    this.end = end;
    if (events.length < this.segmentEvents) this.pieces.push(segment);
    await this.putTogether();
  }

  /** Many small pieces become one segment: first the new one is whole, then the pieces go. */
  private async putTogether(): Promise<void> {
    const { folder, isZipped } = this.options;
    const count = this.pieces.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    if (this.pieces.length < 2 || (count < this.segmentEvents && this.pieces.length < PIECES_MAX)) return;
    const contents = [];
    for (const piece of this.pieces) contents.push(await folder.readSegment(piece));
    const [first] = contents;
    if (first === undefined) return;
    await folder.writeSegment(
      {
        boundaryHash: first.boundaryHash,
        events: contents.flatMap(({ events }) => events),
        answers: contents.flatMap(({ answers }) => answers),
      },
      isZipped,
    );
    for (const piece of this.pieces.splice(0)) await folder.remove(piece);
  }

  /** Answers are no part of the chain; without them a repeated command would be taken for a new one. */
  private async answersTo(events: readonly RawEvent[]): Promise<readonly KeptAnswer[]> {
    const times = new Map<string, string>();
    for (const { metadata, recordedAt } of events) {
      if (!metadata.includes('"commandId"')) continue;
      const { commandId } = JSON.parse(metadata) as EventMetadata;
      if (commandId !== undefined) times.set(commandId, recordedAt);
    }
    const answers: KeptAnswer[] = [];
    for (const [commandId, recordedAt] of times) {
      const answer = await this.reader.answerOf(commandId);
      if (answer !== undefined) answers.push({ commandId, recordedAt, ...answer });
    }
    return answers;
  }

  private async shipCheckpoints(): Promise<void> {
    const [latest, handOvers] = [await this.table.latest(), await this.table.handOvers()];
    const state = `${String(latest?.position ?? 0)}/${String(handOvers.length)}`;
    if (state === this.signedState) return;
    const checkpoints = await this.table.all();
    await this.options.folder.writeCheckpoints([...handOvers.map(handOverLine), ...checkpoints.map(checkpointLine)]);
    this.signedState = state;
  }
}

/** The pieces at the end that are to be put together with what comes. */
function piecesOf(segments: readonly Segment[], full: number): Segment[] {
  const pieces: Segment[] = [];
  for (const segment of inOrder(segments)) {
    if (segment.to - segment.from + 1 >= full) pieces.length = 0;
    else pieces.push(segment);
  }
  return pieces;
}

/** The end of events that follow another end without a gap or a break. */
function checked(events: readonly RawEvent[], after: ChainEnd, upTo: number): ChainEnd {
  let end: ChainEnd = after;
  for (const event of events) {
    const hash = canonicalEventHash(Buffer.from(end.hash, 'hex'), event, event.data, event.metadata).toString('hex');
    if (event.position !== end.position + 1 || event.hash !== hash) {
      throw new NotShipped(
        `event ${String(event.position)} does not follow event ${String(end.position)}: run \`brickyard audit verify\`; the backup stays as it was`,
      );
    }
    end = { position: event.position, hash };
  }
  if (end.position === upTo) return end;
  throw new NotShipped(`the log has no position ${String(end.position + 1)}: run \`brickyard audit verify\``);
}
