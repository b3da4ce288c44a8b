/** CPU time of the processes of a system: what a figure costs, also on a machine that others use too. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpuUsage } from 'node:process';

/** What `/proc` counts time in; 100 a second on every Linux we know. */
const TICK_MS = 10;

/** Milliseconds of CPU by process name. */
export type CpuMs = ReadonlyMap<string, number>;

interface Usage {
  readonly pid: number;
  readonly parent: number;
  readonly ms: number;
}

/** One line of `/proc/<pid>/stat`: proc(5). The name in it may hold anything, so what follows its last bracket counts. */
function usageOf(pid: string): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // State is the first here and third there: user, system, and what ended children took.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid: Number(pid), parent: Number(fields[1]), ms: ticks * TICK_MS };
  } catch {
    return undefined; // Ended between the listing and the look.
  }
}

/** CPU time so far of one process and of its children that have ended, in milliseconds; 0 when it is gone. */
export const cpuMsOf = (pid: number): number => usageOf(String(pid))?.ms ?? 0;

/** CPU time so far of each named process with its children, and of this one as `client`; empty where there is no `/proc`. */
export function cpuNow(pids: ReadonlyMap<string, number>): CpuMs {
  if (process.platform !== 'linux') return new Map();
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(usageOf)
    .filter((usage) => usage !== undefined);
  const treeMs = (pid: number): number =>
    all
      .filter((usage) => usage.pid === pid || usage.parent === pid)
      .reduce((sum, usage) => sum + (usage.pid === pid ? usage.ms : treeMs(usage.pid)), 0);
  const { user, system } = cpuUsage();
  return new Map([
    ['client', (user + system) / 1_000],
    ...[...pids].map(([name, pid]) => [name, treeMs(pid)] as const),
  ]);
}

/** What was used between two looks, divided by the pieces of work done. */
export function cpuEach(before: CpuMs, after: CpuMs, count: number): CpuMs {
  return new Map([...after].map(([name, ms]) => [name, (ms - (before.get(name) ?? 0)) / count]));
}

/** The middle of several measurements, process by process. */
export function cpuMedian(all: readonly CpuMs[], median: (values: readonly number[]) => number): CpuMs {
  const names = [...(all[0]?.keys() ?? [])];
  return new Map(names.map((name) => [name, median(all.map((one) => one.get(name) ?? 0))]));
}

/** All together, and each process, as one line. */
export function cpuText(cpu: CpuMs): string {
  return [...cpu].map(([name, ms]) => `${name} ${ms.toFixed(2)}`).join(', ');
}

export const cpuTotal = (cpu: CpuMs): number => [...cpu.values()].reduce((sum, ms) => sum + ms, 0);
