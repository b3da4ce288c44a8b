/**
 * A backup as it lies in its folder: one folder for each ledger, in it files of consecutive events that are complete as
 * soon as they have their name. How far a backup is, its files say.
 */
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { GENESIS_HASH, type ChainEnd, type RawEvent } from '@brickyard/event-sourcing';
import { parseCheckpointLines, type CheckpointFile, type KeptAnswer } from '@brickyard/event-sourcing/postgres';
import { z } from 'zod';
import { eventLine, eventOf } from '../audit/event-line';
import { UsageError } from '../exit-codes';

const FORMAT = 'brickyard-backup-1';
const MANIFEST = 'manifest.json';
const CHECKPOINTS = 'checkpoints.jsonl';
const NAME = /^(\d{12})-(\d{12})\.ndjson(\.gz)?$/;
/** A draft that old belongs to nobody who still writes. */
const DRAFT_AGE_MS = 60_000;

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** A file of consecutive events. */
export interface Segment {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/** What a segment holds. */
export interface SegmentContent {
  /** The hash that its first event follows. */
  readonly boundaryHash: string;
  readonly events: readonly RawEvent[];
  readonly answers: readonly KeptAnswer[];
}

/** A segment that cannot be read to its end. */
export class BrokenSegment extends Error {
  override readonly name = 'BrokenSegment';
}

const Manifest = z.object({
  format: z.literal(FORMAT),
  ledger: z.string().regex(/^[a-z][a-z0-9-]*$/),
  position: z.int().min(0),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  shippedAt: z.string(),
});
/** How far a backup was when it was written last; its files may be further. */
export type Manifest = z.infer<typeof Manifest>;

const Header = z.object({
  kind: z.literal('header'),
  format: z.literal(FORMAT),
  ledger: z.string(),
  from: z.int(),
  to: z.int(),
  boundaryHash: z.string(),
});
const Footer = z.object({ kind: z.literal('footer'), events: z.int(), headHash: z.string() });
const AnswerLine = z.object({
  kind: z.literal('answer'),
  commandId: z.string(),
  position: z.int(),
  recordedAt: z.string(),
  reply: z.json(),
});

const placed = (position: number): string => String(position).padStart(12, '0');

/** One ledger's part of a backup. */
export class BackupFolder {
  constructor(
    readonly path: string,
    readonly ledger: string,
  ) {}

  /** Makes the folder when it is missing, and removes what a crash left half written. */
  async prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    for (const name of await readdir(this.path)) {
      if (!name.endsWith('.tmp')) continue;
      const draft = join(this.path, name);
      const age = await stat(draft).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0, // Its writer has just finished.
      );
      if (age > DRAFT_AGE_MS) await unlink(draft).catch(() => undefined);
    }
  }

  /** Its segments, by first position, the longest first: those that a longer one covers come after it. */
  async segments(): Promise<readonly Segment[]> {
    const found = (await readdir(this.path)).flatMap((name) => {
      const [, from, to] = NAME.exec(name) ?? [];
      return from === undefined ? [] : [{ file: join(this.path, name), from: Number(from), to: Number(to) }];
    });
    return found.sort((one, other) => one.from - other.from || other.to - one.to);
  }

  async manifest(): Promise<Manifest | undefined> {
    const text = await readFile(join(this.path, MANIFEST), 'utf8').catch(orMissing);
    if (text === undefined) return undefined;
    const parsed = Manifest.safeParse(parsedJson(text));
    if (!parsed.success) throw new BrokenSegment(`${join(this.path, MANIFEST)} is no manifest of a backup`);
    return parsed.data;
  }

  async writeManifest({ position, hash }: ChainEnd): Promise<void> {
    const manifest: Manifest = {
      format: FORMAT,
      ledger: this.ledger,
      position,
      hash,
      shippedAt: new Date().toISOString(),
    };
    await this.write(MANIFEST, Buffer.from(`${JSON.stringify(manifest)}\n`));
  }

  async checkpoints(): Promise<CheckpointFile> {
    return parseCheckpointLines((await readFile(join(this.path, CHECKPOINTS), 'utf8').catch(orMissing)) ?? '');
  }

  async writeCheckpoints(lines: readonly string[]): Promise<void> {
    await this.write(CHECKPOINTS, Buffer.from(lines.join('')));
  }

  /** Writes a segment: when it has its name it is whole, and on the disk. */
  async writeSegment({ boundaryHash, events, answers }: SegmentContent, isZipped: boolean): Promise<Segment> {
    const [from, to] = [events[0]?.position ?? 0, events.at(-1)?.position ?? 0];
    const header = { kind: 'header', format: FORMAT, ledger: this.ledger, from, to, boundaryHash };
    const footer = { kind: 'footer', events: events.length, headHash: events.at(-1)?.hash ?? boundaryHash };
    const text = [
      `${JSON.stringify(header)}\n`,
      ...events.map(eventLine),
      ...answers.map((answer) => `${JSON.stringify({ kind: 'answer', ...answer })}\n`),
      `${JSON.stringify(footer)}\n`,
    ].join('');
    const name = `${placed(from)}-${placed(to)}.ndjson${isZipped ? '.gz' : ''}`;
    await this.write(name, isZipped ? await zip(text) : Buffer.from(text));
    return { file: join(this.path, name), from, to };
  }

  /** Reads a segment whole; throws `BrokenSegment` when it is not. */
  async readSegment({ file, from, to }: Segment): Promise<SegmentContent> {
    const broken = (why: string): BrokenSegment => new BrokenSegment(`${basename(file)} ${why}`);
    const lines = (await textOf(file)).split('\n');
    const [first, ...rest] = lines.slice(0, -1).map(parsedJson);
    const header = Header.safeParse(first);
    if (!header.success) throw broken(`does not begin as a segment of a backup (${FORMAT})`);
    if (header.data.ledger !== this.ledger) throw broken(`is of ledger ${header.data.ledger}, not ${this.ledger}`);
    const footer = Footer.safeParse(rest.pop());
    if (!footer.success || lines.at(-1) !== '') throw broken('ends before its last line: it was cut off');
    const events: RawEvent[] = [];
    const answers: KeptAnswer[] = [];
    rest.forEach((line, index) => {
      const answer = AnswerLine.safeParse(line);
      const event = answer.success ? undefined : eventOf(this.ledger, line);
      if (answer.success) answers.push({ ...answer.data, reply: answer.data.reply });
      else if (event !== undefined) events.push(event);
      else throw broken(`has a line that is no event: line ${String(index + 2)}`);
    });
    if (events.length !== footer.data.events || header.data.from !== from || header.data.to !== to) {
      throw broken(`holds ${String(events.length)} events, not those its name and last line tell`);
    }
    return { boundaryHash: header.data.boundaryHash, events, answers };
  }

  async remove({ file }: Segment): Promise<void> {
    await unlink(file).catch(orMissing);
  }

  private async write(name: string, bytes: Uint8Array): Promise<void> {
    const draft = join(this.path, `${name}.${String(process.pid)}.tmp`);
    const file = await open(draft, 'w', 0o640);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(this.path, name));
    const folder = await open(this.path, 'r');
    await folder.sync().finally(() => folder.close());
  }
}

/** The ledgers of a backup. */
export async function openBackup(path: string): Promise<readonly BackupFolder[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const folders: BackupFolder[] = [];
  for (const entry of entries.filter((one) => one.isDirectory())) {
    const folder = new BackupFolder(join(path, entry.name), entry.name);
    if ((await folder.segments()).length > 0 || (await folder.manifest()) !== undefined) folders.push(folder);
  }
  if (folders.length === 0) throw new UsageError(`${path} holds no backup`);
  return folders.sort((one, other) => (one.ledger < other.ledger ? -1 : 1));
}

/** Its segments in the order they are read, without those that longer ones cover. */
export function* inOrder(segments: readonly Segment[]): Generator<Segment> {
  let end = 0;
  for (const segment of segments) {
    if (segment.to <= end) continue;
    yield segment;
    end = segment.to;
  }
}

/** Where a row of segments without a gap ends, and the hash there. */
export async function endOf(folder: BackupFolder): Promise<ChainEnd> {
  let last: Segment | undefined;
  for (const segment of inOrder(await folder.segments())) {
    if (segment.from > (last?.to ?? 0) + 1) break;
    last = segment;
  }
  if (last === undefined) return { position: 0, hash: GENESIS_HASH };
  const { events } = await folder.readSegment(last);
  return { position: last.to, hash: events.at(-1)?.hash ?? GENESIS_HASH };
}

async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file);
  if (!file.endsWith('.gz')) return bytes.toString('utf8');
  try {
    return (await unzip(bytes)).toString('utf8');
  } catch (error) {
    throw new BrokenSegment(`${basename(file)} cannot be unpacked: it was cut off or changed`, { cause: error });
  }
}

function parsedJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined; // Told where it is expected to be something.
  }
}

function orMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
