/** Checkpoints in a file outside Postgres: whoever rules the database does not rule it. One line of JSON each. */
import { open, readFile, truncate } from 'node:fs/promises';
import { checkpointLine, parseCheckpoint, type Checkpoint } from '../checkpoint';

/** What a file of checkpoints holds. */
export interface CheckpointFile {
  readonly checkpoints: readonly Checkpoint[];
  /** Numbers of lines, from 1, that are no checkpoints. */
  readonly brokenLines: readonly number[];
}

/** Reads a file of checkpoints in the order they were appended. */
export async function readCheckpointFile(file: string): Promise<CheckpointFile> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  const last = lines.pop() ?? '';
  const checkpoints: Checkpoint[] = [];
  const brokenLines: number[] = last === '' ? [] : [lines.length + 1];
  lines.forEach((line, index) => {
    const checkpoint = parseCheckpoint(line);
    if (checkpoint === undefined) brokenLines.push(index + 1);
    else checkpoints.push(checkpoint);
  });
  return { checkpoints, brokenLines };
}

/** Appends a checkpoint; resolves when it is on the disk. Makes the file when it is missing. */
export async function appendCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const handle = await open(file, 'a', 0o644);
  try {
    await handle.appendFile(checkpointLine(checkpoint));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Drops a last line that a crash cut short: it was never vouched for. Returns the checkpoints; none when there is no file. */
export async function mendCheckpointFile(file: string): Promise<readonly Checkpoint[]> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return [];
  const end = bytes.lastIndexOf('\n') + 1;
  if (end < bytes.length) await truncate(file, end);
  return (await readCheckpointFile(file)).checkpoints;
}
