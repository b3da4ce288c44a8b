/** Runs in the virtual machine: all tests of the LVM driver, over the power cuts that are part of them. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { runCases, say, type Tally } from './cases';
import { contractCases } from './contract-cases';
import { runCrashCases } from './crash-cases';
import { lvmCases } from './lvm-cases';
import { afterCut, afterCuts, beforeCuts, cutPower, cuts, writeDurably } from './power-cuts';
import { cleanScene, DISK } from './scene';

const MEMORY = '/var/lib/lvm-tests/memory.json';
/** What a boot must know of the one before; `cut` is the power cut that was coming, absent before the first. */
const Memory = z.object({ passed: z.int(), failed: z.int(), cut: z.int().optional() });

/** What to run, from the command line. */
const Arguments = z.object({
  /** The program that starts Node.js here. */
  node: z.string().min(1),
  depth: z.enum(['usual', 'thorough']),
  part: z.enum(['all', 'contract', 'layout', 'kill', 'power']),
});
type Arguments = z.infer<typeof Arguments>;

async function test(options: Arguments): Promise<Tally> {
  const memory = existsSync(MEMORY) ? Memory.parse(JSON.parse(readFileSync(MEMORY, 'utf8'))) : undefined;
  if (memory === undefined) return firstBoot(options);
  if (memory.cut === undefined) throw new Error('the machine started anew in the midst of the tests');
  const [cut] = cuts.slice(memory.cut);
  const tally = cut === undefined ? memory : sum(memory, await runCases([afterCut(cut)]));
  return testFromCut(memory.cut + 1, tally);
}

async function firstBoot({ node, depth, part }: Arguments): Promise<Tally> {
  remember({ passed: 0, failed: 0 });
  const isWanted = (name: Arguments['part'], title: string): boolean => {
    if (part !== 'all' && part !== name) return false;
    say(`${title}:`);
    return true;
  };
  const tallies: Tally[] = [];
  if (isWanted('contract', 'the contract of brick drivers'))
    tallies.push(await runCases(contractCases, { after: cleanScene }));
  if (isWanted('layout', 'what only LVM bricks promise')) tallies.push(await runCases(lvmCases, { after: cleanScene }));
  if (isWanted('kill', 'the driver is killed at every command')) {
    tallies.push(...(await runCrashCases(node, depth, (cases) => runCases(cases, { after: cleanScene }))));
  }
  if (!isWanted('power', 'the power is cut')) return sum(...tallies);
  await beforeCuts();
  return testFromCut(0, sum(...tallies));
}

async function testFromCut(index: number, tally: Tally): Promise<Tally> {
  const cut = cuts[index];
  if (cut === undefined) return sum(tally, await runCases([afterCuts]));
  remember({ ...tally, cut: index });
  return cutPower(cut);
}

function remember(memory: z.infer<typeof Memory>): void {
  mkdirSync(dirname(MEMORY), { recursive: true });
  writeDurably(MEMORY, JSON.stringify(memory));
}

const sum = (...tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((total, { passed }) => total + passed, 0),
  failed: tallies.reduce((total, { failed }) => total + failed, 0),
});

async function main(): Promise<void> {
  if (DISK === '') throw new Error('BRICKYARD_LVM_TEST_DEVICE names no disk');
  const [node, depth, part] = process.argv.slice(2);
  const { passed, failed } = await test(Arguments.parse({ node, depth, part }));
  say(`${String(passed)} passed, ${String(failed)} failed`);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  });
}
