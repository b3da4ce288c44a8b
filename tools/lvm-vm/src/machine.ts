/** One run of the virtual machine: a child process, the guest's second serial line as the tests' voice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuestSystem } from './guest-system';
import { type Host, Problem } from './host';

/** A way to run the guest on this machine. */
interface Machine {
  readonly name: string;
  isThere(): boolean;
  /** The command that is the machine; images in the order in which the guest sees them. */
  words(plan: GuestPlan, images: readonly string[]): readonly string[];
  /** What disks are called in the guest, before a letter. */
  readonly diskPrefix: string;
  /** Storage hosts that it is fast enough for, with a whole control plane. */
  readonly hosts: number;
  /** Until the tests begin. */
  readonly bootMs: number;
  /** Until the tests have ended. */
  readonly runMs: number;
}

const canUse = (file: string, mode: number): boolean => {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
};

/** Fast, where the processor's help is to be had; inside another virtual machine it often is not, or only seems to be. */
const KVM: Machine = {
  name: 'KVM',
  isThere: () => canUse('/dev/kvm', constants.R_OK | constants.W_OK),
  words: (plan, images) => qemuWords(['-accel', 'kvm', '-cpu', 'host'], plan, images),
  diskPrefix: '/dev/vd',
  hosts: 3,
  bootMs: 60_000,
  runMs: 15 * 60_000,
};
/** Linux as a program of this machine: no help of the processor's is needed, programs of the guest run as fast as here. */
const USER_MODE: Machine = {
  name: 'user-mode Linux',
  isThere: () => canUse('/usr/bin/linux.uml', constants.X_OK),
  words: umlWords,
  diskPrefix: '/dev/ubd',
  hosts: 1,
  bootMs: 3 * 60_000,
  runMs: 2 * 60 * 60_000,
};
/** Goes everywhere, twenty times slower. */
const EMULATION: Machine = {
  name: 'emulation (TCG)',
  isThere: () => true,
  words: (plan, images) => qemuWords(['-accel', 'tcg,thread=multi', '-cpu', 'max'], plan, images),
  diskPrefix: '/dev/vd',
  hosts: 1,
  bootMs: 10 * 60_000,
  runMs: 90 * 60_000,
};
const MACHINES = [KVM, USER_MODE, EMULATION];
const DATA_BYTES = 10 * 1024 ** 3;
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

/** The virtual machine to run. */
export interface GuestPlan {
  readonly system: GuestSystem;
  /** Image of the last of its disks. */
  readonly payload: string;
  /** Empty disks, between that of the system and that of the payload. */
  readonly disks: number;
  readonly memoryMib: number;
  /** Where its images and the log of its console are, for the time of the run. */
  readonly directory: string;
  /** 19 gives way to everything else on this machine; what runs a whole system cannot, since its parts wait for each other in time. */
  readonly niceness: number;
  /** More words of the kernel's command line. */
  readonly kernelWords?: readonly string[];
}

/** Boots the system in the first machine that can, and passes on what the tests say until the guest switches off. */
export async function runInGuest(host: Host, plan: GuestPlan): Promise<GuestResult> {
  const reasons: string[] = [];
  for (const machine of MACHINES.filter((one) => one.isThere())) {
    const result = await runOn(machine, host, plan);
    if (typeof result !== 'string') return result;
    host.say(`${machine.name} does not run this guest here (${result.split('\n')[0] ?? ''})`);
    reasons.push(`${machine.name}: ${result}`);
  }
  throw new Problem(`the guest does not boot: ${reasons.join('; ')}\n${await consoleTail(plan.directory)}`);
}

/** Gives the tests' result, or the reason why the guest did not come up at first. */
async function runOn(machine: Machine, host: Host, plan: GuestPlan): Promise<GuestResult | string> {
  const { system, payload, directory } = plan;
  const rootImage = join(directory, 'root.img');
  await host.run(['cp', '--sparse=always', system.rootImage, rootImage], { timeoutMs: COPY_TIMEOUT_MS });
  const disks = Array.from({ length: plan.disks }, (_, index) => join(directory, `data${String(index + 1)}.img`));
  for (const disk of disks) {
    await writeFile(disk, '');
    await truncate(disk, DATA_BYTES);
  }
  const names = disks.map((_, index) => `${machine.diskPrefix}${String.fromCharCode('b'.charCodeAt(0) + index)}`);
  const kernelWords = [`brickyard.disks=${names.slice(0, machine.hosts).join(',')}`];
  const argv = [
    // The guest ends with this process, even if this process is killed; what user-mode Linux started beside it, too.
    ...['setpriv', '--pdeathsig', 'KILL', 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...['nice', '-n', String(plan.niceness)],
    ...machine.words({ ...plan, kernelWords }, [rootImage, ...disks, payload]),
  ];
  host.say(`booting the guest under ${machine.name}`);
  const deadline = performance.now() + machine.runMs;
  for (let boots = 1; boots <= BOOTS_MAX; boots += 1) {
    host.signal.throwIfAborted();
    const said = await runOnce(machine, host, directory, start(argv), deadline);
    host.signal.throwIfAborted();
    if (!said.isUp && boots === 1) return said.complaint.trim() || `silent for ${String(machine.bootMs / 1_000)} s`;
    if (said.result !== undefined && said.exit !== undefined) return said.result;
    if (!said.isUp || !said.isCutComing) break;
    host.say('the power is off; booting again');
  }
  throw new Problem(`the guest ended without a result\n${await consoleTail(directory)}`);
}

/** From one start of the machine to its end. */
async function runOnce(
  { bootMs }: Machine,
  host: Host,
  directory: string,
  child: ChildProcess,
  deadline: number,
): Promise<Said> {
  const end = (): void => void child.kill('SIGKILL');
  host.signal.addEventListener('abort', end);
  const bootTimer = setTimeout(end, bootMs);
  const runTimer = setTimeout(end, Math.max(0, deadline - performance.now()));
  try {
    return await listen(host, child, directory, () => {
      clearTimeout(bootTimer);
    });
  } finally {
    clearTimeout(bootTimer);
    clearTimeout(runTimer);
    host.signal.removeEventListener('abort', end);
    end();
  }
}

/** A reset of the guest ends qemu: what its disks were not given by then is lost, as with a power cut. */
function qemuWords(accelerator: readonly string[], plan: GuestPlan, images: readonly string[]): readonly string[] {
  const { system, memoryMib, directory, kernelWords = [] } = plan;
  const drives = images.map((file) => `file=${file},format=raw,if=virtio,cache=unsafe`);
  const words = [
    'console=ttyS0',
    'quiet',
    'panic=-1',
    'mitigations=off',
    `brickyard.init=${system.init}`,
    ...kernelWords,
  ];
  return [
    ...['qemu-system-x86_64', ...accelerator, '-m', String(memoryMib), '-smp', '2', '-display', 'none'],
    ...['-nodefaults', '-nic', 'none', '-no-reboot', '-serial', `file:${join(directory, 'console.log')}`],
    ...['-serial', 'stdio', '-monitor', 'none', '-kernel', system.kernel, '-initrd', system.initrd],
    ...['-append', words.join(' '), ...drives.flatMap((drive) => ['-drive', drive])],
  ];
}

/** Its console is the error output, which becomes the complaint when it does not come up. */
function umlWords(plan: GuestPlan, images: readonly string[]): readonly string[] {
  const { system, memoryMib, kernelWords = [] } = plan;
  return [
    ...['linux.uml', `mem=${String(memoryMib)}M`, ...images.map((file, index) => `ubd${String(index)}=${file}`)],
    ...['root=/dev/ubda', 'rw', `init=${system.init}`, 'quiet', 'panic=-1', 'noreboot'],
    ...['con=null', 'ssl=null', 'con0=null,fd:2', 'ssl1=null,fd:1', ...kernelWords],
  ];
}

function start(argv: readonly string[]): ChildProcess {
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

/** Passes on every line of the tests until the machine ends. */
async function listen(host: Host, child: ChildProcess, directory: string, onUp: () => void): Promise<Said> {
  const said: Said = { isUp: false, isCutComing: false, complaint: '' };
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Problem('the machine was started without pipes');
  const console = createWriteStream(join(directory, 'console.log'), { flags: 'a' });
  stderr.pipe(console);
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
