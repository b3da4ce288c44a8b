/** For what servers do by themselves and tell nobody when. */
import { setTimeout as pause } from 'node:timers/promises';

const WITHIN_MS = 30_000;
const PAUSE_MS = 50;

/** Tries again while servers elect, read their file anew or look for each other; after half a minute, the last reason. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + WITHIN_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > until) throw error;
      await pause(PAUSE_MS);
    }
  }
}
