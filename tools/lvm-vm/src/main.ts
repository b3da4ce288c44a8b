/** `npm run test:lvm`: runs the LVM driver's tests for real, in a small virtual machine with device-mapper. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  --thorough           kill the driver at more moments; takes three times as long`;

interface Options {
  readonly cache: string;
  readonly fresh: boolean;
  readonly depth: 'usual' | 'thorough';
}

async function test(host: Host, { cache, fresh, depth }: Options): Promise<boolean> {
  await ensurePrograms(host);
  await removeLeftovers();
  await mkdir(cache, { recursive: true });
  const system = await guestSystem(host, cache, fresh);
  const directory = await mkdtemp(join(tmpdir(), `brickyard-lvm-vm-${String(process.pid)}-`));
  try {
    const payload = await makePayload(host, ROOT, GUEST_ENTRIES, depth === 'thorough' ? [depth] : [], directory);
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

async function main(): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interruption.abort(new Problem(`interrupted by ${signal}`));
    });
  }
  try {
    const options = {
      cache: { type: 'string' },
      fresh: { type: 'boolean' },
      thorough: { type: 'boolean' },
      help: { type: 'boolean' },
    } as const;
    const { values } = parseArgs({ options });
    if (values.help === true) {
      process.stdout.write(`${USAGE}\n`);
      return;
    }
    const cache = values.cache ?? process.env['BRICKYARD_LVM_VM_CACHE'] ?? join(ROOT, '.brickyard/lvm-vm');
    const isGood = await test(hostFor(interruption.signal), {
      cache,
      fresh: values.fresh === true,
      depth: values.thorough === true ? 'thorough' : 'usual',
    });
    process.exitCode = isGood ? 0 : 1;
  } catch (error) {
    const reason: unknown = interruption.signal.aborted ? interruption.signal.reason : error;
    const isPlain = reason instanceof Problem || (reason instanceof Error && 'code' in reason);
    const text =
      reason instanceof Error ? (isPlain ? reason.message : (reason.stack ?? reason.message)) : String(reason);
    process.stderr.write(`test:lvm: ${text}\n`);
    process.exitCode = 1;
  }
}

void main();
