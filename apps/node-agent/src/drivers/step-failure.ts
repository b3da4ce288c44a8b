/** How drivers say what became of a step: as a value to the agent, as an error among themselves. */
import type { Outcome, TaskFailure, TaskResult } from '@brickyard/contracts';

/** A step could not be done; caught at the driver's door and turned into an outcome. */
export class StepFailed extends Error {
  constructor(
    readonly failure: TaskFailure,
    options: { readonly cause?: unknown } = {},
  ) {
    super(failure.detail, options);
    this.name = 'StepFailed';
  }
}

/** A failure that another try cannot cure: somebody has to change something. */
export const refusal = (detail: string, cause = ''): StepFailed =>
  new StepFailed({ transient: false, uncertain: false, detail, cause });

/** A failure that may pass by itself. */
export const passing = (detail: string, cause = ''): StepFailed =>
  new StepFailed({ transient: true, uncertain: false, detail, cause });

/** Nobody could see whether the effect happened. */
export const unsure = (detail: string, cause = ''): StepFailed =>
  new StepFailed({ transient: true, uncertain: true, detail, cause });

/** Done, and nothing was learned. */
export const DONE: Outcome = { ok: true, result: { kind: 'nothing' } };

/** Done, with what the host learned. */
export const learned = (result: TaskResult): Outcome => ({ ok: true, result });

/** Whether what was asked about is there. */
export const presence = (present: boolean): Outcome => learned({ kind: 'presence', present });

/** Runs one step of a driver; every way it can go wrong becomes an outcome. */
export async function outcomeOf(step: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await step();
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'EIO', 'ENOMEM']);

/** What to tell of an error: a step's own words, or the operating system's. */
export function failureOf(error: unknown): TaskFailure {
  if (error instanceof StepFailed) return error.failure;
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (code !== undefined && FULL.has(code)) {
    const detail = 'the file system of this host that carries the bricks is full; free space there or add a device';
    return { transient: true, uncertain: false, detail, cause: text };
  }
  return {
    transient: code !== undefined && PASSING.has(code),
    uncertain: false,
    detail: `this host refused: ${text}`,
    cause: error instanceof Error ? (error.stack ?? text) : text,
  };
}

/** The operating system's name for what went wrong, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Passes over one expected complaint of the operating system and lets every other through. */
export function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (codes.includes(codeOf(error) ?? '')) return undefined;
    throw error;
  };
}
