/** An append-only file of JSON lines: what a process must find again after it was killed. */
import { dirname } from 'node:path';
import type { AppendFile, Disk } from './disk';
import { refusal } from './drivers/step-failure';
import { nodeDisk } from './node.disk';

const MODE = 0o600;

/** How a journal is kept. */
export interface JournalOptions {
  /** False only where a power cut may lose the last lines: simulated hosts. */
  readonly sync: boolean;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
}

/** A file of JSON lines that grows at its end. */
export interface Journal {
  /** Resolves when the line is on disk; lines that come meanwhile share the next write. */
  append(line: unknown): Promise<void>;
  /** Lines in the file. */
  readonly length: number;
  /**
   * Replaces the file by the lines `snapshot` gives at that moment. Who appends must have changed what `snapshot` reads
   * before; a line may then be replayed twice, never lost.
   */
  rewrite(snapshot: () => readonly unknown[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens the file, or makes it, and gives the lines in it to `replay`; a torn last line is what a crash leaves, and is dropped. */
export async function openJournal(
  path: string,
  options: JournalOptions,
  replay: (line: unknown) => void,
): Promise<Journal> {
  const { disk = nodeDisk } = options;
  disk.makeDirectories(dirname(path));
  const length = disk.exists(path) ? replayFile(disk, path, replay) : 0;
  const file = await disk.openAppend(path, { mode: MODE, sync: options.sync });
  return new FileJournal(path, options, disk, { file, size: await file.size() }, length);
}

function replayFile(disk: Disk, path: string, replay: (line: unknown) => void): number {
  const text = disk.read(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) replaceFile(path, whole, MODE, disk);
  const lines = whole.split('\n').filter((line) => line !== '');
  lines.forEach((line, index) => {
    replay(parsed(line, path, index + 1));
  });
  return lines.length;
}

function parsed(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    const detail = `line ${String(number)} of ${path} is not JSON; move the file away to start without this memory`;
    throw refusal(detail, error instanceof Error ? error.message : '');
  }
}

/** Writes a whole file so that a crash leaves the old one or the new one. */
export function replaceFile(path: string, text: string, mode = MODE, disk: Disk = nodeDisk): void {
  const draft = `${path}.new`;
  disk.write(draft, text, { mode, sync: true });
  disk.rename(draft, path);
  disk.syncDirectory(dirname(path));
}

/** The open file, and how far its whole lines reach: nobody else writes to it. */
interface Written {
  readonly file: AppendFile;
  size: number;
}

class FileJournal implements Journal {
  private waiting: string[] = [];
  private flushing: Promise<void> | undefined;
  private rewriting: Promise<void> | undefined;

  constructor(
    private readonly path: string,
    private readonly options: JournalOptions,
    private readonly disk: Disk,
    private written: Written,
    private lines: number,
  ) {}

  get length(): number {
    return this.lines;
  }

  async append(line: unknown): Promise<void> {
    this.waiting.push(`${JSON.stringify(line)}\n`);
    this.lines += 1;
    // Whoever comes while a write runs shares the next one.
    const running = this.flushing;
    if (running === undefined) return this.flush();
    await running.catch(() => undefined);
    return this.flushing ?? this.flush();
  }

  private flush(): Promise<void> {
    if (this.waiting.length === 0) return Promise.resolve();
    const text = this.waiting.join('');
    this.waiting = [];
    this.flushing = this.write(text).finally(() => {
      this.flushing = undefined;
    });
    return this.flushing;
  }

  private async write(text: string): Promise<void> {
    const { written } = this;
    try {
      await written.file.append(text);
      if (this.options.sync) await written.file.sync();
      written.size += Buffer.byteLength(text);
    } catch (error) {
      // A full disk takes half a line; the next one must not follow it.
      await written.file.truncate(written.size).catch(() => undefined);
      throw error;
    }
  }

  rewrite(snapshot: () => readonly unknown[]): Promise<void> {
    // Everybody who finds the file too long at the same time means the same rewriting.
    this.rewriting ??= this.rewriteNow(snapshot).finally(() => {
      this.rewriting = undefined;
    });
    return this.rewriting;
  }

  private async rewriteNow(snapshot: () => readonly unknown[]): Promise<void> {
    while (this.flushing !== undefined) await this.flushing.catch(() => undefined);
    const work = async (): Promise<void> => {
      const lines = snapshot();
      replaceFile(this.path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), MODE, this.disk);
      const former = this.written.file;
      const file = await this.disk.openAppend(this.path, { mode: MODE, sync: this.options.sync });
      this.written = { file, size: await file.size() };
      this.lines = lines.length + this.waiting.length;
      await former.close();
    };
    this.flushing = work().finally(() => {
      this.flushing = undefined;
    });
    await this.flushing;
    await this.flush();
  }

  async close(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing.catch(() => undefined);
    await this.flush();
    await this.written.file.close();
  }
}
