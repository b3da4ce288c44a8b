/** What a run of tests has left on the machine: processes, mounts, loop devices, namespaces. Linux only; elsewhere nothing is found. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMESPACES = '/run/netns';
/** Where running labs are noted, each with its folder. */
const NOTES = '/run/brickyard-hosts';

/** What is there before the run, to be told from what the run makes. */
export function markBefore() {
  return new Set(namespaces());
}

/** Names everything that belongs to the run's folder and is still there, and every storage host's namespace without an owner. */
export function leftoversOf(runDir, before) {
  return [...processesOf(runDir), ...mountsOf(runDir), ...loopsOf(runDir), ...namespacesLeft(runDir, before)];
}

/** Ends (-9) every process that belongs to the run's folder. */
export function endProcessesOf(runDir) {
  for (const pid of pidsOf(runDir)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
}

const processesOf = (runDir) =>
  pidsOf(runDir).map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`);

/** Children take TMPDIR over, or have the folder in their command line. */
const pidsOf = (runDir) =>
  list('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      [read(`/proc/${pid}/environ`), read(`/proc/${pid}/cmdline`)].some((text) => text.includes(runDir)),
    );

function mountsOf(runDir) {
  const lines = read('/proc/self/mountinfo').split('\n');
  return lines.filter((line) => line.includes(runDir)).map((line) => `mount ${line.split(' ')[4]}`);
}

function loopsOf(runDir) {
  return list('/sys/block')
    .filter((name) => name.startsWith('loop') && read(`/sys/block/${name}/loop/backing_file`).includes(runDir))
    .map((name) => `loop device ${name}: ${read(`/sys/block/${name}/loop/backing_file`).trim()}`);
}

/**
 * Whoever runs storage hosts holds a lock on their prefix; the kernel lists it by name, which Node fills up with zeros
 * that are shown as `@`, and drops it with its holder. Those that somebody else has noted for a folder elsewhere are not ours.
 */
function namespacesLeft(runDir, before) {
  const locks = new Set(
    [...read('/proc/net/unix').matchAll(/@brickyard-hosts\/prefix\/([a-z0-9]+)/g)].map(([, name]) => name),
  );
  return namespaces()
    .filter((name) => {
      const [prefix] = name.split('-');
      const note = read(join(NOTES, prefix));
      return !before.has(name) && !locks.has(prefix) && (note === '' || note.includes(runDir));
    })
    .map((name) => `network namespace ${name}`);
}

const namespaces = () => list(NAMESPACES).filter((name) => /^[a-z][a-z0-9]*-(\d+|switch)$/.test(name));

function list(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // Gone meanwhile, or not for us to see.
  }
}
