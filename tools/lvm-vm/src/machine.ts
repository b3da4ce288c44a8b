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
const COMPLAINT_CHARS = 500;
const COPY_TIMEOUT_MS = 2 * 60_000;
/** More than there are power cuts. */
const BOOTS_MAX = 10;

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
    const result = await runUnder(KVM, host, system, payload, directory);
    if (typeof result !== 'string') return result;
    host.say(`KVM does not run this guest here (${result.split('\n')[0] ?? ''})`);
  }
  const result = await runUnder(EMULATION, host, system, payload, directory);
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

/** Gives the tests' result, or the reason why the guest did not come up at first. */
async function runUnder(
  accelerator: Accelerator,
  host: Host,
  system: GuestSystem,
  payload: string,
  directory: string,
): Promise<GuestResult | string> {
  const disks = { root: join(directory, 'root.img'), data: join(directory, 'data.img'), payload };
  await host.run(['cp', '--sparse=always', system.rootImage, disks.root], { timeoutMs: COPY_TIMEOUT_MS });
  await writeFile(disks.data, '');
  await truncate(disks.data, DATA_BYTES);
  host.say(`booting the guest under ${accelerator.name}`);
  const deadline = performance.now() + accelerator.runMs;
  for (let boots = 1; boots <= BOOTS_MAX; boots += 1) {
    host.signal.throwIfAborted();
    const said = await runOnce(accelerator, host, startQemu(accelerator, system, disks, directory), deadline);
    host.signal.throwIfAborted();
    if (!said.isUp && boots === 1) return said.complaint.trim() || `silent for ${String(accelerator.bootMs / 1_000)} s`;
    if (said.result !== undefined && said.exit !== undefined) return said.result;
    if (!said.isUp || !said.isCutComing) break;
    host.say('the power is off; booting again');
  }
  throw new Problem(`the guest ended without a result\n${await consoleTail(directory)}`);
}

/** From one start of qemu to its end. */
async function runOnce({ bootMs }: Accelerator, host: Host, child: ChildProcess, deadline: number): Promise<Said> {
  const end = (): void => void child.kill('SIGKILL');
  host.signal.addEventListener('abort', end);
  const bootTimer = setTimeout(end, bootMs);
  const runTimer = setTimeout(end, Math.max(0, deadline - performance.now()));
  try {
    return await listen(host, child, () => {
      clearTimeout(bootTimer);
    });
  } finally {
    clearTimeout(bootTimer);
    clearTimeout(runTimer);
    host.signal.removeEventListener('abort', end);
    end();
  }
}

interface Disks {
  readonly root: string;
  readonly data: string;
  readonly payload: string;
}

/** A reset of the guest ends qemu: what its disks were not given by then is lost, as with a power cut. */
function startQemu(
  { options }: Accelerator,
  { kernel, initrd }: GuestSystem,
  disks: Disks,
  directory: string,
): ChildProcess {
  const drive = (file: string, more: string): string[] => ['-drive', `file=${file},format=raw,if=virtio,${more}`];
  const argv = [
    // The guest ends with this process, even if this process is killed.
    ...['setpriv', '--pdeathsig', 'KILL', 'nice', '-n', '19', 'qemu-system-x86_64', ...options],
    ...['-m', String(MEMORY_MIB), '-smp', '2', '-display', 'none', '-nodefaults', '-nic', 'none', '-no-reboot'],
    ...['-serial', `file:${join(directory, 'console.log')}`, '-serial', 'stdio', '-monitor', 'none'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
    ...drive(disks.root, 'cache=unsafe'),
    ...drive(disks.data, 'cache=unsafe'),
    ...drive(disks.payload, 'readonly=on'),
  ];
  const [program = '', ...args] = argv;
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

interface Said {
  isUp: boolean;
  /** The tests are about to cut the power: the guest may end without a result. */
  isCutComing: boolean;
  result?: GuestResult;
  exit?: number;
  complaint: string;
}

/** Passes on every line of the tests until qemu ends. */
async function listen(host: Host, child: ChildProcess, onUp: () => void): Promise<Said> {
  const said: Said = { isUp: false, isCutComing: false, complaint: '' };
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Problem('qemu was started without pipes');
  stderr.on('data', (chunk: Buffer) => {
    said.complaint = (said.complaint + chunk.toString('utf8')).slice(-COMPLAINT_CHARS);
  });
  createInterface({ input: stdout }).on('line', (text) => {
    const line = text.trimEnd();
    if (line === '@up') {
      host.say('the guest is up');
      said.isUp = true;
      onUp();
    } else if (line === '@cut') said.isCutComing = true;
    else if (line.startsWith('@end ')) said.exit = Number(line.slice('@end '.length));
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
