/** Checkpoints in a file outside Postgres: whoever rules the database does not rule it. One line of JSON each. */
import { open, readFile, truncate } from 'node:fs/promises';
import { checkpointLine, parseCheckpoint, type Checkpoint } from '../checkpoint';
import { handOverLine, parseHandOver, type HandOver } from '../hand-over';

/** What a file of checkpoints holds. */
export interface CheckpointFile {
  readonly checkpoints: readonly Checkpoint[];
  /** Where one key handed over to the next. */
  readonly handOvers: readonly HandOver[];
  /** Numbers of lines, from 1, that are neither. */
  readonly brokenLines: readonly number[];
}

/** Reads a file of checkpoints in the order they were appended. */
export async function readCheckpointFile(file: string): Promise<CheckpointFile> {
  return parseCheckpointLines(await readFile(file, 'utf8'));
}

/** What the text of such a file holds. */
export function parseCheckpointLines(text: string): CheckpointFile {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const checkpoints: Checkpoint[] = [];
  const handOvers: HandOver[] = [];
  const brokenLines: number[] = [];
  lines.forEach((line, index) => {
    const handOver = parseHandOver(line);
    const checkpoint = handOver === undefined ? parseCheckpoint(line) : undefined;
    if (handOver !== undefined) handOvers.push(handOver);
    else if (checkpoint !== undefined) checkpoints.push(checkpoint);
    else brokenLines.push(index + 1);
  });
  if (last !== '') brokenLines.push(lines.length + 1);
  return { checkpoints, handOvers, brokenLines };
}

/** Appends a checkpoint; resolves when it is on the disk. Makes the file when it is missing. */
export async function appendCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  await appendLine(file, checkpointLine(checkpoint));
}

/** Appends a hand-over; resolves when it is on the disk. */
export async function appendHandOver(file: string, handOver: HandOver): Promise<void> {
  await appendLine(file, handOverLine(handOver));
}

async function appendLine(file: string, line: string): Promise<void> {
  const handle = await open(file, 'a', 0o644);
  try {
    await handle.appendFile(line);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Drops a last line that a crash cut short: it was never vouched for. Returns what is left; nothing when there is no file. */
export async function mendCheckpointFile(file: string): Promise<CheckpointFile> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return parseCheckpointLines('');
  const end = bytes.lastIndexOf('\n') + 1;
  if (end < bytes.length) await truncate(file, end);
  return readCheckpointFile(file);
}
