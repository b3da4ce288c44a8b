/** Leaves troubles and commands out, one at a time, as long as the same thing goes wrong. */
import { runSeed, type RunReport } from './run';

/** Says what is left of a failing run. */
export async function shrink({ seed, violation, troubles, commands }: RunReport): Promise<string> {
  const without = { troubles: new Set<number>(), commands: new Set<number>() };
  const stillFails = async (): Promise<boolean> => {
    const report = await runSeed({ seed, without });
    return report.violation?.invariant === violation?.invariant;
  };
  for (const [kind, count] of [
    ['commands', commands],
    ['troubles', troubles],
  ] as const) {
    for (let index = 0; index < count; index++) {
      without[kind].add(index);
      if (!(await stillFails())) without[kind].delete(index);
    }
  }
  const lines: string[] = [];
  await runSeed({ seed, without, onTrace: (line) => lines.push(line) });
  const left = `${String(troubles - without.troubles.size)} of ${String(troubles)} troubles and ${String(commands - without.commands.size)} of ${String(commands)} commands`;
  return `${lines.join('\n')}\nsmaller: ${left} are enough\n`;
}
