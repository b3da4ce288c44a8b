/** Restores, without a human, the differences that the policy allows: as long as they stand, ever more slowly. */
import { createHash } from 'node:crypto';
import type { CommandOf, DriftId, OperationId } from '@brickyard/contracts';
import { type ControlState, type Drift, isTrivial } from '@brickyard/domain';
import type { Logger } from '@brickyard/service-host';

/** Between two attempts to heal the same thing: first, and longest. */
const HEAL_PAUSE_MS = 10_000;
const HEAL_PAUSE_MAX_MS = 10 * 60_000;

/** Which differences are settled without a human. */
export type HealPolicy = 'none' | 'trivial';

export interface HealerOptions {
  readonly log: Logger;
  readonly state: () => ControlState;
  readonly policy: HealPolicy;
  readonly submit: (command: CommandOf<'RestoreDrift'>, correlationId: string) => Promise<void>;
  readonly now: () => number;
}

/** Remembers what it has tried. */
export class DriftHealer {
  private readonly tried = new Map<DriftId, { tries: number; nextAt: number }>();

  constructor(private readonly options: HealerOptions) {}

  /** Tries what is due. */
  heal(): void {
    const state = this.options.state();
    if (this.options.policy === 'none' || state.hold !== undefined) return;
    for (const driftId of this.tried.keys()) if (!state.drift.has(driftId)) this.forgetLater(driftId);
    for (const drift of state.drift.values()) {
      if (!isTrivial(drift.class) || drift.operationId !== undefined || !mayBeHealed(drift, state)) continue;
      const { tries, nextAt } = this.tried.get(drift.driftId) ?? { tries: 0, nextAt: 0 };
      if (this.options.now() < nextAt) continue;
      const pauseMs = Math.min(HEAL_PAUSE_MAX_MS, HEAL_PAUSE_MS * 2 ** tries);
      this.tried.set(drift.driftId, { tries: tries + 1, nextAt: this.options.now() + pauseMs });
      const operationId = healingId(drift, state);
      this.options.log.info({ driftId: drift.driftId, class: drift.class, operationId }, 'restored by policy');
      void this.options.submit({ type: 'RestoreDrift', operationId, driftId: drift.driftId }, operationId);
    }
  }

  /** What comes again and again is not healed ever faster. */
  private forgetLater(driftId: DriftId): void {
    const known = this.tried.get(driftId);
    if (known !== undefined && this.options.now() - known.nextAt > HEAL_PAUSE_MAX_MS) this.tried.delete(driftId);
  }
}

/** Who sets a node or device offline is at work on it: nothing is mounted under his hands. */
function mayBeHealed({ subject }: Drift, state: ControlState): boolean {
  if (subject.kind !== 'brick') return false;
  const volume = state.volumes.get(subject.volumeId);
  const brick = volume?.bricks.find(({ brickId }) => brickId === subject.brickId);
  const device = brick === undefined ? undefined : state.devices.get(brick.deviceId);
  const node = state.nodes.get(subject.nodeId);
  if (volume?.operationId !== undefined || node?.lostSince !== undefined) return false;
  return device?.state === 'online' && node?.state === 'online';
}

/** Another id for each attempt. */
const healingId = ({ driftId }: Drift, state: ControlState): OperationId =>
  createHash('sha256')
    .update(`${driftId}/${String(state.endedCount)}`)
    .digest('hex')
    .slice(0, 32) as OperationId;
