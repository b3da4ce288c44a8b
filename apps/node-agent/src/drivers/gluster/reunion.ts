/**
 * Keeps a glusterd that has just come up from changing anything before it has met its peers. Until then it knows what was
 * so when it ended; what they have done since, they tell it once they are connected. A change made before that is another
 * history of the same volume, with the same version number, and the peers refuse its host from then on ("Peer Rejected").
 */
import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { unless } from '../step-failure';
import type { Member } from './gluster.port';

/** Peers try again every three seconds; one that has not come in this time is away, and is not waited for. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 250;

/** Whom to meet. */
export interface ReunionOptions {
  /** glusterd's local socket: it makes another one whenever it starts. */
  readonly socket: string;
  /** May reject while the daemon is not ready. */
  readonly members: () => Promise<readonly Member[]>;
}

/** Resolves when the daemon may change something: at once, unless it came up a moment ago. Never rejects for its members' sake. */
export function reunion({ socket, members }: ReunionOptions): () => Promise<void> {
  let met = 0;
  const isWhole = async (): Promise<boolean> => {
    const seen = await members().catch(() => []); // Whoever changes something next is told why nobody answers.
    return seen.length > 0 && seen.every(({ connected, joined }) => connected && joined);
  };
  return async () => {
    const since = (await stat(socket).catch(unless('ENOENT')))?.mtimeMs;
    if (since === undefined || since === met) return;
    while (Date.now() - since < PATIENCE_MS && !(await isWhole())) await pause(LOOK_MS);
    met = since;
  };
}
