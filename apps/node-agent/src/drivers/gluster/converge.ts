/** Look, act, look again: how a Gluster command that is not idempotent becomes one. */
import { setTimeout as pause } from 'node:timers/promises';
import { passing, refusal, StepFailed, unsure } from '../step-failure';
import type { Reply, Trouble } from './gluster.port';

/** How long each kind of trouble is waited out, and how. */
export interface Patience {
  /** Budget while the cluster's lock is held: longer than the 180 s that a dead owner's lock is kept. */
  readonly lockedMs: number;
  /** Budget while the daemon or a peer is away: long enough for a restart. */
  readonly awayMs: number;
  readonly firstPauseMs: number;
  readonly pauseMsMax: number;
}

export const PATIENCE: Patience = { lockedMs: 240_000, awayMs: 10_000, firstPauseMs: 500, pauseMsMax: 10_000 };

/** One thing to bring about. */
export interface Change {
  /** For people: "volume v1 cannot be created". */
  readonly failure: string;
  /** The caller has just looked, and it is not done: the first try acts at once. */
  readonly isSeenUndone?: boolean;
  isDone(): Promise<boolean>;
  act(): Promise<Reply>;
}

type Refused = Extract<Reply, { ok: false }>;

const budgetOf = (trouble: Trouble, patience: Patience): number => {
  if (trouble === 'locked') return patience.lockedMs;
  return trouble === 'no-daemon' || trouble === 'peer-away' ? patience.awayMs : 0;
};

/** Brings the change about, waiting out what passes; throws a `StepFailed` that says why it could not. */
export async function converge(change: Change, patience: Patience): Promise<void> {
  const startedAt = Date.now();
  for (let attempt = 1; ; attempt += 1) {
    const isSeenUndone = attempt === 1 && change.isSeenUndone === true;
    const reply = await (isSeenUndone ? change.act() : tryOnce(change));
    if (reply.ok) return;
    const left = startedAt + budgetOf(reply.trouble, patience) - Date.now();
    if (left <= 0) {
      // Whatever it said: an earlier try, or another's, may have done it.
      if (reply.trouble !== 'no-daemon' && (await change.isDone())) return;
      throw failureOf(change.failure, reply);
    }
    const longest = Math.min(patience.pauseMsMax, patience.firstPauseMs * 2 ** (attempt - 1));
    await pause(Math.min(left, longest * (0.5 + Math.random() / 2)));
  }
}

/** Looks first; a daemon that cannot even be looked at is waited for like one that does not obey. */
async function tryOnce(change: Change): Promise<Reply> {
  try {
    if (await change.isDone()) return { ok: true };
  } catch (error) {
    if (!(error instanceof StepFailed) || !error.failure.transient || error.failure.uncertain) throw error;
    return { ok: false, trouble: 'no-daemon', message: error.failure.detail, cause: error.failure.cause };
  }
  return change.act();
}

/** A refused command as a failure of the step. */
export function failureOf(failure: string, { trouble, message, cause }: Refused): StepFailed {
  switch (trouble) {
    case 'locked':
      return passing(`${failure}: another Gluster command holds the cluster's lock (${message})`, cause);
    case 'no-daemon':
      return passing(`${failure}: ${message}; is glusterd of this host running?`, cause);
    case 'peer-away':
      return passing(`${failure}: ${message}; bring the host back and try again`, cause);
    case 'no-answer':
      return unsure(`${failure}: Gluster did not answer in time and may still be at it`, cause);
    case 'refused':
      return refusal(`${failure}: ${message}`, cause);
  }
}

/** Waits until a condition holds; false when the time is over. */
export async function until(condition: () => Promise<boolean>, timeoutMs: number, everyMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() >= deadline) return false;
    await pause(everyMs);
  }
  return true;
}
