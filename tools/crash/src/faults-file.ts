/** The planned faults of the simulated hosts, and what their agents say of them. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** One entry of the file; docs/crash-tests.md says what it does. */
export interface PlannedFault {
  readonly host?: string;
  readonly step?: number;
  readonly direction?: 'act' | 'probe' | 'undo';
  readonly count?: number;
  readonly delayMs?: number;
  readonly hang?: 'before' | 'after';
  readonly silent?: true;
  readonly fail?: { readonly transient: boolean; readonly detail: string; readonly uncertain?: boolean };
}

/** Replaces all planned faults at once. */
export function planFaults(file: string, faults: readonly PlannedFault[]): void {
  writeFileSync(`${file}.new`, JSON.stringify(faults));
  renameSync(`${file}.new`, file);
}

/** How often the agents have said that a planned fault holds a task. */
export const heldTasks = (logFile: string): number =>
  existsSync(logFile) ? readFileSync(logFile, 'utf8').split('a planned fault holds this task').length - 1 : 0;
