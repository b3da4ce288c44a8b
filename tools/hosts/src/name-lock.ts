import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A lock that this process holds; the kernel lets go of it when the process dies, however it dies. */
export interface NameLock {
  release(): Promise<void>;
}

/**
 * Takes a machine-wide lock at once, or gives undefined when another process (or lab) holds it. The lock is an abstract
 * unix socket (unix(7)): it needs no file, and none is left behind by a killed run.
 */
export function tryLock(name: string): Promise<NameLock | undefined> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0brickyard-hosts/${name}`, () => {
      server.unref();
      resolve({
        release: () =>
          new Promise((released) =>
            server.close(() => {
              released();
            }),
          ),
      });
    });
  });
}

/** Runs the work while holding a machine-wide lock; waits for its turn up to `timeoutMs`. */
export async function withLock<T>(name: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lock = await tryLock(name);
  while (lock === undefined) {
    if (Date.now() > deadline) throw new Error(`another process holds the lock "${name}"`);
    await pause(20);
    lock = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
