import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const INSTALL_TIMEOUT_MS = 15 * 60_000;
const OUTPUT_TAIL = 2_000;
const PACKAGE_FORM = /^[a-z0-9][a-z0-9+.-]+$/;

/** Installs Debian packages with apt-get, without recommendations and questions; says so, and throws with apt's reason. */
export async function installPackages(packages: readonly string[], onProgress: (text: string) => void): Promise<void> {
  if (packages.length === 0) return;
  const list = packages.join(' ');
  checkInstallable(packages, list);
  onProgress(`installing ${list} (apt-get)`);
  const install = ['install', '--yes', '--no-install-recommends', ...packages];
  const first = await aptGet(install);
  if (first.exitCode === 0) return;
  // The package lists are missing or old on a fresh machine: fetch them once, then it has to succeed.
  onProgress('fetching package lists (apt-get update)');
  const update = await aptGet(['update']);
  const second = await aptGet(install);
  if (second.exitCode === 0) return;
  const reason = [update.exitCode === 0 ? '' : update.output, second.output].join('\n').trim();
  throw new Error(`cannot install ${list}; install them yourself and start again. apt-get said:\n${reason}`);
}

function checkInstallable(packages: readonly string[], list: string): void {
  const odd = packages.find((name) => !PACKAGE_FORM.test(name));
  if (odd !== undefined) throw new Error(`not a package name: "${odd}"`);
  if (!existsSync('/usr/bin/apt-get')) throw new Error(`this machine has no apt-get; install these yourself: ${list}`);
  if (process.getuid?.() !== 0) throw new Error(`only root can install packages; run: apt-get install ${list}`);
}

async function aptGet(args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=2'];
  const child = spawn('/usr/bin/apt-get', [...options, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: INSTALL_TIMEOUT_MS,
  });
  let output = '';
  const keepTail = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_TAIL);
  };
  child.stdout.on('data', keepTail);
  child.stderr.on('data', keepTail);
  await once(child, 'exit');
  child.stdout.destroy(); // A service that a package starts may hold the pipes.
  child.stderr.destroy();
  return { exitCode: child.exitCode ?? 1, output };
}
