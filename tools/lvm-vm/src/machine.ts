/** One run of the virtual machine: qemu as a child process, its second serial line as the tests' voice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuestSystem } from './guest-system';
import { type Host, Problem } from './host';

/** How the guest's processor is made. */
interface Accelerator {
  readonly name: string;
  readonly options: readonly string[];
  /** Until the root file system is up. */
  readonly bootMs: number;
  /** Until the tests have ended. */
  readonly runMs: number;
}

const KVM: Accelerator = {
  name: 'KVM',
  options: ['-accel', 'kvm', '-cpu', 'host'],
  bootMs: 20_000,
  runMs: 15 * 60_000,
};
const EMULATION: Accelerator = {
  name: 'emulation (TCG)',
  options: ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
  bootMs: 4 * 60_000,
  runMs: 60 * 60_000,
};
const DATA_BYTES = 10 * 1024 ** 3;
const MEMORY_MIB = 2_048;
const CONSOLE_TAIL_LINES = 25;

/** What the guest said of its tests. */
export interface GuestResult {
  readonly passed: number;
  readonly failed: number;
}

/** Boots the system, under KVM where that works, and passes on what the tests say until the guest switches off. */
export async function runInGuest(
  host: Host,
  system: GuestSystem,
  payload: string,
  directory: string,
): Promise<GuestResult> {
  if (hasKvm()) {
    const result = await boot(host, KVM, system, payload, directory);
    if (typeof result !== 'string') return result;
    host.say(`KVM does not run this guest here (${result.split('\n')[0] ?? ''})`);
  }
  const result = await boot(host, EMULATION, system, payload, directory);
  if (typeof result !== 'string') return result;
  throw new Problem(`the guest does not boot: ${result}\n${await consoleTail(directory)}`);
}

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Gives the tests' result, or the reason why the guest did not come up. */
async function boot(
  host: Host,
  accelerator: Accelerator,
  system: GuestSystem,
  payload: string,
  directory: string,
): Promise<GuestResult | string> {
  const disk = join(directory, 'data.img');
  await writeFile(disk, '');
  await truncate(disk, DATA_BYTES);
  host.say(`booting the guest under ${accelerator.name}`);
  const child = startQemu(accelerator, system, [disk, payload], directory);
  const end = (): void => void child.kill('SIGKILL');
  host.signal.addEventListener('abort', end);
  const bootTimer = setTimeout(end, accelerator.bootMs);
  const runTimer = setTimeout(end, accelerator.runMs);
  try {
    const said = await listen(host, child, () => {
      clearTimeout(bootTimer);
    });
    host.signal.throwIfAborted();
    if (!said.isUp) return said.complaint || `silent for ${String(accelerator.bootMs / 1_000)} s`;
    if (said.result !== undefined && said.exit !== undefined) return said.result;
    throw new Problem(`the guest ended without a result: ${said.complaint}\n${await consoleTail(directory)}`);
  } finally {
    clearTimeout(bootTimer);
    clearTimeout(runTimer);
    host.signal.removeEventListener('abort', end);
    end();
  }
}

function startQemu(
  { options }: Accelerator,
  { kernel, initrd, rootImage }: GuestSystem,
  disks: readonly [data: string, payload: string],
  directory: string,
): ChildProcess {
  const drive = (file: string, more: string): string[] => ['-drive', `file=${file},format=raw,if=virtio,${more}`];
  const argv = [
    // The guest ends with this process, even if this process is killed.
    ...['setpriv', '--pdeathsig', 'KILL', 'nice', '-n', '19', 'qemu-system-x86_64', ...options],
    ...['-m', String(MEMORY_MIB), '-smp', '2', '-display', 'none', '-nodefaults', '-nic', 'none'],
    ...['-serial', `file:${join(directory, 'console.log')}`, '-serial', 'stdio', '-monitor', 'none'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=10 mitigations=off'],
    ...drive(rootImage, 'snapshot=on'), // Changes last while qemu runs, also over a reset.
    ...drive(disks[0], 'cache=unsafe'),
    ...drive(disks[1], 'readonly=on'),
  ];
  const [program = '', ...args] = argv;
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: directory } });
}

interface Said {
  isUp: boolean;
  result?: GuestResult;
  exit?: number;
  complaint: string;
}

/** Passes on every line of the tests until qemu ends. */
async function listen(host: Host, child: ChildProcess, onUp: () => void): Promise<Said> {
  const said: Said = { isUp: false, complaint: '' };
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Problem('qemu was started without pipes');
  stderr.on('data', (chunk: Buffer) => {
    said.complaint = (said.complaint + chunk.toString('utf8')).trim().slice(-500);
  });
  createInterface({ input: stdout }).on('line', (text) => {
    const line = text.trimEnd();
    if (line === '@up') {
      host.say(said.isUp ? 'the guest is up again' : 'the guest is up');
      said.isUp = true;
      onUp();
    } else if (line.startsWith('@end ')) said.exit = Number(line.slice('@end '.length));
    else hear(host, said, line);
  });
  await once(child, 'close');
  return said;
}

function hear(host: Host, said: Said, line: string): void {
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(line) ?? [];
  if (passed === undefined) host.say(`  ${line}`);
  else said.result = { passed: Number(passed), failed: Number(failed) };
}

async function consoleTail(directory: string): Promise<string> {
  const text = await readFile(join(directory, 'console.log'), 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trimEnd());
  return lines
    .filter((line) => line !== '')
    .slice(-CONSOLE_TAIL_LINES)
    .join('\n');
}
