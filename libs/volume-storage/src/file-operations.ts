/** Tells whoever listens what is done to files of a volume and how long it takes; costs nothing when nobody does. */
import { channel, subscribe } from 'node:diagnostics_channel';

/** What is done to a file or folder. `publish`, `make` and `move` are all that it takes to do so durably. */
export const FILE_ACTIONS = [
  'make',
  'open',
  'read',
  'write',
  'sync',
  'sync folder',
  'publish',
  'look at',
  'list',
  'move',
  'remove',
  'probe',
] as const;
export type FileAction = (typeof FILE_ACTIONS)[number];

/** One thing that was done, or could not be. */
export interface FileOperation {
  readonly action: FileAction;
  readonly tookMs: number;
  /** Of what was read or written. */
  readonly bytes: number;
  readonly error: unknown;
}

const CHANNEL = 'brickyard.volume-storage.file-operation';
const operations = channel(CHANNEL);

/** Does the work and tells of it; `bytesOf` says how many bytes the result stands for: those in hand when absent. */
export async function observed<T>(
  action: FileAction,
  work: () => Promise<T>,
  bytesOf: (done: T) => number = (done) => (Buffer.isBuffer(done) ? done.length : 0),
): Promise<T> {
  if (!operations.hasSubscribers) return work();
  const startedAt = performance.now();
  const tell = (bytes: number, error?: unknown): void => {
    operations.publish({ action, bytes, error, tookMs: performance.now() - startedAt } satisfies FileOperation);
  };
  try {
    const done = await work();
    tell(bytesOf(done));
    return done;
  } catch (error) {
    tell(0, error);
    throw error;
  }
}

/** Listens to every file operation of this process, for as long as it lives. */
export function onFileOperation(listener: (operation: FileOperation) => void): void {
  subscribe(CHANNEL, (message) => {
    listener(message as FileOperation);
  });
}
