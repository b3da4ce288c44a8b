/** `npm run test:lvm`: runs the LVM driver's tests for real, in a small virtual machine with device-mapper. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePrograms } from './debian';
import { guestSystem } from './guest-system';
import { type Host, hostFor, Problem } from './host';
import { runInGuest } from './machine';
import { makePayload } from './payload';

const ROOT = join(__dirname, '../../..');
const GUEST_ENTRIES = ['tools/lvm-vm/dist/guest/main.js', 'tools/lvm-vm/dist/guest/doomed.js'];
const USAGE = `usage: npm run test:lvm -- [options]
  --cache <directory>  where the guest system is kept (default .brickyard/lvm-vm; also BRICKYARD_LVM_VM_CACHE)
  --fresh              make the guest system anew
  --thorough           kill the driver at more moments; takes three times as long
  --part <name>        only one of: contract, layout, kill, power`;
const PARTS = ['all', 'contract', 'layout', 'kill', 'power'];

interface Options {
  readonly cache: string;
  readonly fresh: boolean;
  readonly depth: 'usual' | 'thorough';
  readonly part: string;
}

async function test(host: Host, { cache, fresh, depth, part }: Options): Promise<boolean> {
  await ensurePrograms(host);
  await removeLeftovers();
  await mkdir(cache, { recursive: true });
  const system = await guestSystem(host, cache, fresh);
  const directory = await mkdtemp(join(tmpdir(), `brickyard-lvm-vm-${String(process.pid)}-`));
  try {
    const payload = await makePayload(host, ROOT, GUEST_ENTRIES, [depth, part], directory);
    const { passed, failed } = await runInGuest(host, system, payload, directory);
    host.say('the guest has ended');
    process.stdout.write(`${String(passed)} passed, ${String(failed)} failed\n`);
    return failed === 0 && passed > 0;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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
  if (!PARTS.includes(values.part)) throw new Problem(`there is no part ${values.part}\n${USAGE}`);
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
