/**
 * What every entry of this repository needs before compiled code can run, on a fresh clone as on a developer's machine:
 * dependencies, system packages, a build. Plain Node, since nothing is installed yet when it starts.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const OUTPUT_TAIL = 8_000;
const NODE_MIN = [20, 19];

/** One line of progress with the time since the command was typed. */
export function say(text) {
  const seconds = (performance.now() / 1_000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${text}\n`);
}

/** Ends with a reason that a person can act on. */
export class Problem extends Error {}

/** Runs the main function of an entry; a problem is one message and exit code 1. */
export async function begin(main) {
  try {
    checkNode();
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Problem ? error.message : (error?.stack ?? String(error))}\n`);
    process.exit(1);
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  if (isOld) throw new Problem(`Node ${NODE_MIN.join('.')} or later is needed, this is ${process.versions.node}`);
}

/** Runs a program quietly; gives its exit code and the end of what it wrote. */
export async function quietly(argv, options = {}) {
  const [program, ...args] = argv;
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  const keep = (chunk) => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_TAIL);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const [code] = await once(child, 'exit');
  child.stdout.destroy(); // A service that a package starts may hold the pipes.
  child.stderr.destroy();
  return { code: code ?? 1, output: output.trim() };
}

/** Installs the dependencies that package-lock.json names, unless they are there. */
export async function installDependencies() {
  const reason = staleDependencies();
  if (reason === undefined) return;
  say(`npm ci (${reason})`);
  const env = { ...process.env, SCARF_ANALYTICS: 'false', NX_NO_CLOUD: 'true' };
  const { code, output } = await quietly(['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error'], { env });
  if (code !== 0) throw new Problem(`npm ci failed:\n${output}`);
}

/** Compares what is installed with what is wanted; times of files say nothing after a checkout. */
function staleDependencies() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'nothing is installed yet';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const differs = ([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link === true) return false;
    const found = installed[path];
    // Optional packages are those of other platforms.
    return found === undefined ? entry.optional !== true && entry.peer !== true : found.version !== entry.version;
  };
  const first = Object.entries(wanted).find(differs);
  return first === undefined
    ? undefined
    : `${first[0].replace(/^node_modules\//, '')} is not the one in package-lock.json`;
}

/** What a machine must have, by the program that shows it is there; folders are searched beside PATH. */
const SERVERS = { postgres: 'postgresql', 'nats-server': 'nats-server' };
const HOSTS = {
  ip: 'iproute2',
  unshare: 'util-linux',
  mount: 'mount',
  'mkfs.xfs': 'xfsprogs',
  glusterd: 'glusterfs-server',
  gluster: 'glusterfs-cli',
  'mount.glusterfs': 'glusterfs-client',
  tgtd: 'tgt',
};

/** What only tests need: a browser, clients of images, objects and disks, another registry, a container engine, systemd's judgement of units. */
const TESTS = {
  chromium: 'chromium',
  buildah: 'buildah',
  podman: 'podman',
  skopeo: 'skopeo',
  promtool: 'prometheus',
  s3cmd: 's3cmd',
  rclone: 'rclone',
  aws: 'awscli',
  'docker-registry': 'docker-registry',
  'iscsi-ls': 'libiscsi-bin',
  'qemu-io': 'qemu-utils qemu-block-extra',
  dockerd: 'docker.io',
  'docker-compose': 'docker-compose',
  debootstrap: 'debootstrap',
  'systemd-analyze': 'systemd',
};

/** Debian's names of what is missing: the servers, with `hosts` what storage hosts on this machine need, with `tests` what tests do. */
export function missingPackages({ hosts, tests = false }) {
  const wanted = { ...SERVERS, ...(hosts && canHoldHosts() ? HOSTS : {}), ...(tests ? TESTS : {}) };
  const missing = Object.keys(wanted).filter((program) => !isInstalled(program));
  return [...new Set(missing.flatMap((program) => wanted[program].split(' ')))];
}

const isRoot = () => process.getuid?.() === 0;
const canHoldHosts = () =>
  process.platform === 'linux' && isRoot() && existsSync('/dev/fuse') && existsSync('/dev/loop-control');

/** Installs missing packages where that is possible: Debian and its kin, as root. Elsewhere it says what to type. */
export async function installPackages({ hosts, tests = false }) {
  const missing = missingPackages({ hosts, tests });
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (!existsSync('/usr/bin/apt-get') || !isRoot()) {
    say(`not installed: ${list}${existsSync('/usr/bin/apt-get') ? ` (sudo apt-get install ${list})` : ''}`);
    return;
  }
  await withoutStartingServices(async () => {
    say('apt-get update');
    const updated = await aptGet(['update']);
    say(`apt-get install ${list}`);
    const { code, output } = await aptGet(['install', '--yes', '--no-install-recommends', ...missing]);
    if (code !== 0) throw new Problem(`apt-get cannot install ${list}:\n${updated.output}\n${output}`);
  });
}

function aptGet(args) {
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=2'];
  return quietly(['apt-get', ...options, ...args], { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}

/** Debian starts a server when it is installed; ours run as children, so nobody needs another one on the usual ports. */
async function withoutStartingServices(work) {
  const policy = '/usr/sbin/policy-rc.d'; // Asked by invoke-rc.d and deb-systemd-invoke; 101 is "no".
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs) rmSync(policy);
  }
}

function isInstalled(program) {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const system = ['/usr/local/bin', '/usr/local/sbin', '/usr/bin', '/usr/sbin', '/bin', '/sbin', '/opt/homebrew/bin'];
  return [...path, ...system, ...postgresFolders()].some((folder) => isExecutable(join(folder, program)));
}

function postgresFolders() {
  const folder = '/usr/lib/postgresql'; // Debian keeps every version in a folder of its own, none of them on PATH.
  return existsSync(folder) ? readdirSync(folder).map((version) => join(folder, version, 'bin')) : [];
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The native compiler. The linters, and whoever else reads sources as a program does, need the interface of the one before it,
 * which is `typescript` itself; what either of them has built, the other one builds again.
 */
const TSC = join(root, 'node_modules/typescript-7/bin/tsc');

/** Compiles projects and what they refer to; only what has changed since the last time costs. No projects: all. */
export async function build(projects = []) {
  // Several checkers of one project would each look at what they all need.
  const argv = [process.execPath, TSC, '-b', '--checkers', '1', ...projects.map((name) => join(root, name))];
  const { code, output } = await quietly(argv);
  if (code !== 0) throw new Problem(`the build failed:\n${output}`);
}

/** Runs a compiled entry in this process. */
export async function enter(file) {
  const entry = join(root, file);
  if (!existsSync(entry)) throw new Problem(`there is no ${file}`);
  await import(pathToFileURL(entry).href);
}
