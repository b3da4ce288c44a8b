import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 20;
const PATIENCE_MS = 5_000;

/** What /proc tells about one process. */
export interface ProcessFacts {
  readonly pid: number;
  readonly program: string;
  readonly cwd: string;
  readonly argv: readonly string[];
}

/** Ends, without mercy, every process an earlier run left behind; waits until they are gone. Without /proc it finds none. */
export async function endLeftovers(isLeftover: (facts: ProcessFacts) => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let left = findProcesses(isLeftover); left.length > 0; left = findProcesses(isLeftover)) {
    if (Date.now() > deadline) throw new Error(`process ${left.join(', ')} of an earlier run does not end`);
    left.forEach((pid) => {
      killQuietly(pid);
    });
    await pause(POLL_MS);
  }
}

/** The direct children of a process, as long as it lives. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8');
    return text
      .split(' ')
      .map(Number)
      .filter((child) => child > 0);
  } catch {
    return []; // It has ended, or this system has no /proc.
  }
}

/** SIGKILL to a process that may be gone already. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function findProcesses(matches: (facts: ProcessFacts) => boolean): readonly number[] {
  return listPids()
    .map(readFacts)
    .filter((facts) => facts !== undefined)
    .filter(matches)
    .map(({ pid }) => pid);
}

function listPids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid);
  } catch {
    return []; // No /proc outside Linux.
  }
}

function readFacts(pid: number): ProcessFacts | undefined {
  const folder = `/proc/${String(pid)}`;
  try {
    const program = basename(readlinkSync(`${folder}/exe`).replace(/ \(deleted\)$/, ''));
    const argv = readFileSync(`${folder}/cmdline`, 'utf8').split('\0');
    return { pid, program, argv, cwd: readlinkSync(`${folder}/cwd`) };
  } catch {
    return undefined; // Ended meanwhile, a kernel thread, or of another user: not ours.
  }
}
