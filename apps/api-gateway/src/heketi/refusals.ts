/**
 * Refused commands, as long as this gateway remembers them. A refusal changes nothing and is not in the log; the same
 * command on the same position is refused again for the same reasons, so that command and position are all it takes.
 */
import type { Actor, ClientCommand } from '@brickyard/contracts';

/** One refused command. */
export interface Refusal {
  /** The id the client was told. */
  readonly id: string;
  readonly command: ClientCommand;
  /** The state it was decided on. */
  readonly position: number;
  readonly actor: Actor;
  readonly request: { readonly method: string; readonly path: string };
  /** UTC, ISO 8601. */
  readonly refusedAt: string;
}

const REMEMBERED_MAX = 10_000;

/** The latest refusals; older ones are forgotten. */
export class Refusals {
  private readonly known = new Map<string, Refusal>();

  constructor(private readonly most = REMEMBERED_MAX) {}

  remember(refusal: Refusal): void {
    this.known.set(refusal.id, refusal);
    if (this.known.size <= this.most) return;
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest);
      return;
    }
  }

  of(id: string): Refusal | undefined {
    return this.known.get(id);
  }
}
