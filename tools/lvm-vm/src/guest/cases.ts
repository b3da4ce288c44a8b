/** One thing that must hold, and the loop that runs such things: `node:test` in little, for a slow serial line. */

/** A test of this tool. */
export interface Case {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** How many held. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** Emulated processors are slow, and slower on a busy machine. */
const CASE_TIMEOUT_MS = 10 * 60_000;

export const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** How cases are run. */
export interface CaseOptions {
  /** Follows each of them. */
  readonly after?: () => void;
  readonly timeoutMs?: number;
}

/** Runs the cases one after the other. */
export async function runCases(
  cases: readonly Case[],
  { after = () => undefined, timeoutMs = CASE_TIMEOUT_MS }: CaseOptions = {},
): Promise<Tally> {
  let failed = 0;
  for (const { name, run } of cases) {
    const began = performance.now();
    const seconds = (): string => `${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s`;
    try {
      try {
        await withinTime(run(), timeoutMs);
      } finally {
        after();
      }
      say(`ok   ${seconds()}  ${name}`);
    } catch (error) {
      failed += 1;
      say(`FAIL ${seconds()}  ${name}`);
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
  return { passed: cases.length - failed, failed };
}

async function withinTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`took longer than ${String(timeoutMs / 1_000)} s`));
    }, timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
