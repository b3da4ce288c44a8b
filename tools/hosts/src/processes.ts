/** Finding and ending processes by the network namespace they live in, never by name. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { until } from './command';

const END_TIMEOUT_MS = 15_000;

/** Process ids of everything that lives in a named network namespace (as `ip netns pids`, without a process per question). */
export function processesIn(namespace: string): number[] {
  const wanted = namespaceOf(`/run/netns/${namespace}`);
  if (wanted === undefined) return [];
  return allProcesses().filter((pid) => namespaceOf(`/proc/${String(pid)}/ns/net`) === wanted);
}

/** Process ids whose command line satisfies the test and which live in our own network namespace. */
export function ownProcessesWhere(test: (commandLine: string) => boolean): number[] {
  const ours = namespaceOf('/proc/self/ns/net');
  return allProcesses().filter(
    (pid) => pid !== process.pid && namespaceOf(`/proc/${String(pid)}/ns/net`) === ours && test(commandLineOf(pid)),
  );
}

/** The command line of a process, its arguments separated by spaces; empty when it is gone. */
export const commandLineOf = (pid: number): string => readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();

/** A file of a process below /proc; empty when the process is gone. */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return ''; // A process may end at any moment.
  }
}

/** Sends a signal; a process that is gone already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already, which is what signals are sent for here.
  }
}

/** Kills (-9) whatever `find` names, again and again until it names nothing: a dying parent may have forked once more. */
export async function endAll(find: () => number[], what: string): Promise<string[]> {
  const ended = new Map<number, string>();
  const done = await until(() => {
    const pids = find();
    for (const pid of pids) {
      ended.set(pid, ended.get(pid) ?? readProc(pid, 'comm').trim());
      signal(pid, 'SIGKILL');
    }
    return pids.length === 0;
  }, END_TIMEOUT_MS);
  if (!done) throw new Error(`processes of ${what} do not end: ${find().join(', ')}`);
  return [...ended].map(([pid, name]) => `process ${String(pid)} (${name})`);
}

const allProcesses = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Identity of a namespace: device and inode of its file. Undefined for a zombie, which has none any more. */
function namespaceOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${String(dev)} ${String(ino)}`;
  } catch {
    return undefined;
  }
}
