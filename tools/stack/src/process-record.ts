/** Notes of which processes were started, so that the next start ends what a killed launcher left, and nothing else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const POLL_MS = 20;
const PATIENCE_MS = 10_000;
/** Fields of /proc/<pid>/stat after the closing bracket of the name: the state is the first, the start time the 20th (proc(5)). */
const STATE_FIELD = 0;
const START_TIME_FIELD = 19;

const Note = z.object({ pid: z.int().min(2), startTime: z.string(), mark: z.string() });
type Note = z.infer<typeof Note>;

/** A folder with one note for each running process. */
export interface ProcessNotes {
  /** Notes a process; `mark` is a word of its command line that tells it from any other. */
  write(name: string, pid: number, mark: string): void;
  remove(name: string): void;
  /** Ends the process groups of noted processes that still run, and gives their names. */
  endLeftovers(): Promise<readonly string[]>;
}

/** Opens the folder, or makes it. */
export function processNotes(folder: string): ProcessNotes {
  mkdirSync(folder, { recursive: true });
  const fileOf = (name: string): string => join(folder, `${name}.json`);
  return {
    write(name, pid, mark) {
      const startTime = startTimeOf(pid);
      if (startTime === undefined) return; // It has ended already, or this system has no /proc.
      writeFileSync(fileOf(name), JSON.stringify({ pid, startTime, mark } satisfies Note));
    },
    remove: (name) => {
      rmSync(fileOf(name), { force: true });
    },
    async endLeftovers() {
      const ended: string[] = [];
      for (const file of readdirSync(folder)) {
        const note = readNote(join(folder, file));
        if (note !== undefined && (await endNoted(note))) ended.push(file.replace(/\.json$/, ''));
        rmSync(join(folder, file), { force: true });
      }
      return ended;
    },
  };
}

/** True while the process that a note names runs, and not another one that was given its number. */
export function isNoted({ pid, startTime, mark }: Note): boolean {
  return startTimeOf(pid) === startTime && commandLineOf(pid).includes(mark);
}

/** When a process was started, in ticks since boot; undefined when it has ended. */
export function startTimeOf(pid: number): string | undefined {
  const stat = readProc(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[STATE_FIELD] === 'Z' ? undefined : fields[START_TIME_FIELD];
}

function readNote(file: string): Note | undefined {
  try {
    return Note.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined; // A note that was torn by a crash names nothing.
  }
}

async function endNoted(note: Note): Promise<boolean> {
  if (!isNoted(note)) return false;
  const deadline = Date.now() + PATIENCE_MS;
  while (isNoted(note)) {
    if (Date.now() > deadline) throw new Error(`process ${String(note.pid)} of an earlier run does not end`);
    killGroup(note.pid, 'SIGKILL');
    await pause(POLL_MS);
  }
  return true;
}

/** Signals a process group that may be gone. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const commandLineOf = (pid: number): string => readProc(pid, 'cmdline').replaceAll('\0', ' ');

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended, or this system has no /proc.
  }
}
