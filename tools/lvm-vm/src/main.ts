/**
 * `npm run test:lvm`: what needs device-mapper, for real, in virtual machines: the LVM driver's tests in a bare
 * guest, clones through the whole system in a Debian as operators have it.
 */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePrograms } from './debian';
import { type BareSystem, guestSystem } from './guest-system';
import { type Host, hostFor, Problem } from './host';
import { type GuestResult, runInGuest } from './machine';
import { makePayload, makeReleasePayload } from './payload';
import { wholeSystem } from './whole-system';

const ROOT = join(__dirname, '../../..');
const GUEST_ENTRIES = ['tools/lvm-vm/dist/guest/main.js', 'tools/lvm-vm/dist/guest/doomed.js'];
const USAGE = `usage: npm run test:lvm -- [options]
  --cache <directory>  where the guest system is kept (default .brickyard/lvm-vm; also BRICKYARD_LVM_VM_CACHE)
  --fresh              make the guest system anew
  --thorough           kill the driver at more moments; takes three times as long
  --part <name>        only one of: contract, layout, kill, power (the driver alone), clone (the whole system)`;
const BARE_PARTS = ['contract', 'layout', 'kill', 'power'];
const WHOLE_PARTS = ['clone'];
const WHOLE_ENTRY = 'tools/lvm-vm/dist/guest/whole/main.js';
const BARE_DISKS = 1;
const BARE_MEMORY_MIB = 2_048;
/** One for each storage host. */
const WHOLE_DISKS = 3;
const WHOLE_MEMORY_MIB = 3_072;

interface Options {
  readonly cache: string;
  readonly fresh: boolean;
  readonly depth: 'usual' | 'thorough';
  readonly part: string;
}

async function test(host: Host, options: Options): Promise<boolean> {
  await ensurePrograms(host);
  await removeLeftovers();
  await mkdir(options.cache, { recursive: true });
  const bare = await guestSystem(host, options.cache, options.fresh);
  const directory = await mkdtemp(join(tmpdir(), `brickyard-lvm-vm-${String(process.pid)}-`));
  const isWanted = (parts: readonly string[]): boolean => options.part === 'all' || parts.includes(options.part);
  try {
    const results: GuestResult[] = [];
    if (isWanted(BARE_PARTS)) results.push(await testDriver(host, bare, options, join(directory, 'bare')));
    if (isWanted(WHOLE_PARTS)) results.push(await testWhole(host, bare, options, join(directory, 'whole')));
    const [passed, failed] = [sumOf(results, 'passed'), sumOf(results, 'failed')];
    process.stdout.write(`${String(passed)} passed, ${String(failed)} failed\n`);
    return failed === 0 && results.every((result) => result.passed > 0);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const sumOf = (results: readonly GuestResult[], key: keyof GuestResult): number =>
  results.reduce((sum, result) => sum + result[key], 0);

async function testDriver(
  host: Host,
  system: BareSystem,
  { depth, part }: Options,
  directory: string,
): Promise<GuestResult> {
  await mkdir(directory);
  const payload = await makePayload(host, ROOT, GUEST_ENTRIES, [depth, part], directory);
  const plan = { system, payload, disks: BARE_DISKS, memoryMib: BARE_MEMORY_MIB, niceness: 19, directory };
  return ended(host, await runInGuest(host, plan));
}

async function testWhole(
  host: Host,
  bare: BareSystem,
  { cache, fresh, part }: Options,
  directory: string,
): Promise<GuestResult> {
  await mkdir(directory);
  const system = await wholeSystem(host, bare, cache, fresh);
  const payload = await makeReleasePayload(host, ROOT, WHOLE_ENTRY, [part], directory);
  const plan = { system, payload, disks: WHOLE_DISKS, memoryMib: WHOLE_MEMORY_MIB, niceness: 0, directory };
  return ended(host, await runInGuest(host, plan));
}

function ended(host: Host, result: GuestResult): GuestResult {
  host.say('the guest has ended');
  return result;
}

/** Disks of runs that were killed. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^brickyard-lvm-vm-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

const ARGUMENTS = {
  cache: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  thorough: { type: 'boolean', default: false },
  part: { type: 'string', default: 'all' },
  help: { type: 'boolean', default: false },
} as const;

async function main(host: Host): Promise<void> {
  const { values } = parseArgs({ options: ARGUMENTS });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const cache = values.cache ?? process.env['BRICKYARD_LVM_VM_CACHE'] ?? join(ROOT, '.brickyard/lvm-vm');
  if (!['all', ...BARE_PARTS, ...WHOLE_PARTS].includes(values.part))
    throw new Problem(`there is no part ${values.part}\n${USAGE}`);
  const depth = values.thorough ? 'thorough' : 'usual';
  const isGood = await test(host, { cache: resolve(cache), fresh: values.fresh, depth, part: values.part });
  process.exitCode = isGood ? 0 : 1;
}

/** A problem and an unknown option are for people: one message. Anything else is a defect, with its stack. */
function textOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  return reason instanceof Problem || 'code' in reason ? reason.message : (reason.stack ?? reason.message);
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // A terminal's Ctrl-C comes twice, from itself and from npm: the second must not cut the clearing short.
  process.on(signal, () => {
    interruption.abort(new Problem(`interrupted by ${signal}`));
  });
}
main(hostFor(interruption.signal)).catch((error: unknown) => {
  const reason: unknown = interruption.signal.aborted ? interruption.signal.reason : error;
  process.stderr.write(`test:lvm: ${textOf(reason)}\n`);
  process.exitCode = 1;
});
