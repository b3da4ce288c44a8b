/**
 * `npm test`: everything that must hold, from a fresh clone: build, audit of the dependencies, lint, unit, integration and
 * whole-system tests, a release on a machine with systemd, and the containers in a Docker engine of their own.
 * `npm test -- unit int` runs only these parts, after a build.
 *
 * The linters, and the making of images and of the machine with systemd, work beside the unit and integration tests, with
 * what these leave of the processor. Whole systems, with their time limits, come after them: beside a third one their heals
 * last twice as long.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { begin, build, installDependencies, installPackages, Problem, quietly, root, say } from './bootstrap.mjs';
import { audit } from './audit.mjs';
import { endProcessesOf, leftoversOf, markBefore } from './leftovers.mjs';

/** What was run, in the order in which it ended: name, seconds, passed, failed. */
const results = [];
/** The programs that run now, each in a group of its own: they end with us, at once, and their servers with them. */
const running = new Set();

/** Set when a signal ends us: what waits for a program that was ended then must not go on. */
let cleaning;

const PARTS = ['audit', 'lint', 'unit', 'int', 'e2e', 'systemd', 'compose'];
/** What may run beside the linters, and beside what makes images and machines. */
const BESIDE_NICED = new Set(['audit', 'unit', 'int']);
/** Each is one file that waits more than it computes; what they begin with takes long to make, and is made before. */
const PREPARED = ['systemd', 'compose'];
/** Files at a time where the core count is no good measure: what is waited for most is a database, a disk, a glusterd. */
const WORKERS = new Map([
  ['int', 2],
  ['e2e', 2],
  ['systemd', 1],
  ['compose', 1],
]);
/** What a part needs that not every machine has; its specs look for it themselves. */
const NEEDS = new Map([
  ['systemd', 'Linux with control groups of version 2, root, /dev/fuse, /dev/loop-control, and Debian’s debootstrap'],
  ['compose', 'Linux, root, /dev/fuse, /dev/loop-control, and Debian’s docker.io, docker-compose and debootstrap'],
]);
/** Three volumes in use while their bricks are moved: with less than a machine, Gluster's heals are what it waits for. */
const ALONE = new Map([['e2e', ['test/src/evacuation.e2e.spec.ts']]]);
const NICENESS = 10;
const GROUP_LOOK_MS = 20;
/** Twice what each kind takes on two busy cores: what runs for longer waits for something that never comes. */
const LIMIT_MS = new Map([
  ['unit', 10 * 60_000],
  ['int', 15 * 60_000],
  ['e2e', 20 * 60_000],
  ['systemd', 20 * 60_000],
  ['compose', 20 * 60_000],
]);
/** From jest's last word, its report, to its end. */
const ENDING_MS = 20_000;

await begin(async () => {
  const wanted = wantedParts();
  const runDir = makeRunDir();
  endOnSignal(runDir);
  const env = { ...process.env, CI: 'true', NX_DAEMON: 'false', NX_NO_CLOUD: 'true', SCARF_ANALYTICS: 'false' };
  try {
    await setUp();
    if (await part('build', () => oneThing(() => build()))) {
      for (const removed of await removeDeadLabs()) say(`removed what a killed run left: ${removed}`);
      const before = markBefore();
      await runParts(wanted, runDir, env);
      await part('leftovers', () => oneThing(() => checkNothingLeft(runDir, before)));
    }
  } finally {
    removeRunDir(runDir);
  }
  summarize();
});

function wantedParts() {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !PARTS.includes(name));
  if (unknown !== undefined) throw new Problem(`the parts are ${PARTS.join(', ')}, not "${unknown}"`);
  return asked.length === 0 ? PARTS : PARTS.filter((name) => asked.includes(name));
}

/** All parts one after the other, but for what works in the background, and for the last two, which are one file each. */
async function runParts(wanted, runDir, env) {
  const isLinted = wanted.includes('lint');
  // What both the linters and the test of their rules look up; neither waits for the other to make it.
  if (isLinted || wanted.includes('unit')) await projectGraph(env);
  const prepared = wanted.filter((name) => PREPARED.includes(name));
  const background = Promise.all([
    isLinted && part('lint', () => lint(env)),
    prepared.length > 0 && part('images', () => prepare(prepared, runDir, env)),
  ]);
  for (const name of wanted.filter((one) => one !== 'lint' && !PREPARED.includes(one))) {
    if (!BESIDE_NICED.has(name)) await background;
    await part(name, () => (name === 'audit' ? oneThing(audit) : jest(name, runDir, env)));
  }
  await background;
  await Promise.all(prepared.map((name) => part(name, () => jest(name, runDir, env))));
}

/** Servers of the tests run under users of their own, who must be able to get through. */
function makeRunDir() {
  const runDir = mkdtempSync(join(tmpdir(), 'brickyard-run-'));
  chmodSync(runDir, 0o755);
  return runDir;
}

async function setUp() {
  await installDependencies();
  await installPackages({ hosts: true, tests: true });
}

/** Runs one part; it counts what passed and failed, and what cannot even run counts as one failure. */
async function part(name, work) {
  say(`${name} ...`);
  const from = performance.now();
  let counted;
  try {
    counted = await work();
  } catch (error) {
    process.stderr.write(`${error instanceof Problem ? error.message : error.stack}\n`);
    counted = { passed: 0, failed: 1 };
  }
  const seconds = (performance.now() - from) / 1_000;
  results.push({ name, seconds, ...counted });
  say(`${name}: ${counted.passed} passed, ${counted.failed} failed (${seconds.toFixed(1)} s)`);
  return counted.failed === 0;
}

/** A part that is no test: silent when all is well. */
async function oneThing(work) {
  await work();
  return { passed: 0, failed: 0 };
}

async function projectGraph(env) {
  const { code, output } = await quietly(['npx', 'nx', 'show', 'projects'], { env });
  if (code !== 0) throw new Problem(`nx does not find the projects:\n${output}`);
}

/** What it says is shown in one piece, since something else may be talking meanwhile. */
async function lint(env) {
  const { code, output } = await run(['npm', 'run', '--silent', 'lint'], env, { quiet: true, niceness: NICENESS });
  process.stdout.write(output);
  if (code !== 0) throw new Problem('the linters have complaints');
  return { passed: 0, failed: 0 };
}

/** Where this fails, the specs try once more. */
async function prepare(kinds, runDir, runEnv) {
  const env = { ...runEnv, TMPDIR: runDir };
  const program = [process.execPath, join(root, 'test/dist/src/prepare.main.js'), ...kinds];
  const { code, output } = await run(program, env, { quiet: true, niceness: NICENESS });
  process.stdout.write(output);
  if (code !== 0) throw new Problem('images or a machine cannot be made');
  return { passed: 0, failed: 0 };
}

/** All files of a kind; those that want the machine for themselves one after the other, after the rest. */
async function jest(kind, runDir, env) {
  const alone = ALONE.get(kind) ?? [];
  const others = alone.map((path) => `--testPathIgnorePatterns=${path}`);
  const counts = [await jestRun(kind, 'all', others, runDir, env)];
  for (const [index, path] of alone.entries()) counts.push(await jestRun(kind, `alone-${index}`, [path], runDir, env));
  const sum = (field) => counts.reduce((total, count) => total + count[field], 0);
  if (NEEDS.has(kind) && sum('passed') + sum('failed') === 0) say(`${kind}: NOT RUN HERE, it needs ${NEEDS.get(kind)}`);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

async function jestRun(kind, name, chosen, runDir, runEnv) {
  // Everything a test makes lies here, so that what it leaves behind can be told from what was there.
  const env = { ...runEnv, TMPDIR: runDir };
  const report = join(runDir, `${kind}-${name}.json`);
  const program = [process.execPath, join(root, 'node_modules/jest/bin/jest.js'), ...chosen];
  const options = ['--selectProjects', kind, '--ci', '--json', `--outputFile=${report}`, '--passWithNoTests'];
  const workers = WORKERS.has(kind) ? [`--maxWorkers=${WORKERS.get(kind)}`] : [];
  const guard = guardOf(runDir, report, LIMIT_MS.get(kind));
  const { code } = await run([...program, ...options, ...workers], env, { onStart: guard.watch });
  const cutShort = guard.end();
  if (cutShort !== undefined) {
    say(`ended jest: ${cutShort}`);
    await removeAllOf(runDir);
  }
  if (!existsSync(report)) throw new Problem(cutShort ?? `jest ended with ${code} and no report`);
  const told = JSON.parse(readFileSync(report, 'utf8'));
  // A file that cannot even be loaded holds no counted test.
  const failed = told.numFailedTests + told.numRuntimeErrorTestSuites;
  const failedOrCut = failed === 0 && code !== 0 ? 1 : failed;
  return { passed: told.numPassedTests, failed: failedOrCut, skipped: told.numPendingTests };
}

/** Ends a jest that goes on for longer than it may, or after its report; `end` looks no longer, and tells why it did. */
function guardOf(runDir, report, limitMs) {
  let cutShort;
  const timers = [];
  const reports = watch(runDir);
  return {
    watch(child) {
      const after = (ms, reason) =>
        timers.push(
          setTimeout(() => {
            cutShort ??= reason;
            signalled(-child.pid, 'SIGKILL');
          }, ms),
        );
      after(limitMs, `it was not over after ${limitMs / 60_000} minutes`);
      reports.on('change', () => {
        if (timers.length === 1 && existsSync(report)) after(ENDING_MS, 'something in it went on after its last test');
      });
    },
    end() {
      reports.close();
      for (const timer of timers) clearTimeout(timer);
      return cutShort;
    },
  };
}

/** The first signal cleans up; a second one, of the same kind, ends us where we are. */
function endOnSignal(runDir) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => (cleaning ??= cleanUp(runDir).finally(() => process.exit(1))));
  }
}

async function cleanUp(runDir) {
  say('ended before its time: cleaning up ...');
  const groups = [...running].map(({ pid }) => -pid);
  for (const group of groups) signalled(group, 'SIGKILL');
  endProcessesOf(runDir);
  // What a process holds is free only when it has ended, with all it started.
  for (const group of groups) while (signalled(group, 0)) await pause(GROUP_LOOK_MS);
  await removeAllOf(runDir);
  removeRunDir(runDir);
}

/** Ends what a run that was cut short has running in its folder: processes, storage hosts, containers, machines. */
async function removeAllOf(runDir) {
  endProcessesOf(runDir);
  await removeDeadLabs(runDir);
  await removeDeadMachines(runDir);
}

/** False when no process of the group is there any more. */
function signalled(group, signal) {
  try {
    process.kill(group, signal);
    return true;
  } catch {
    return false;
  }
}

/** What killed runs left of their storage hosts, or one of them whose folder that was; names what was removed. */
async function removeDeadLabs(below) {
  const compiled = join(root, 'tools/hosts/dist/index.js');
  if (process.platform !== 'linux' || !existsSync(compiled)) return [];
  const hosts = await import(pathToFileURL(compiled).href);
  return hosts.removeDeadLabs(below);
}

async function removeDeadMachines(below) {
  for (const [file, remove] of [
    ['docker/engine', 'removeDeadEngines'],
    ['machine/machine', 'removeDeadMachines'],
  ]) {
    const compiled = join(root, `test/dist/src/${file}.js`);
    if (process.platform !== 'linux' || !existsSync(compiled)) continue;
    const { [remove]: removeDead } = await import(pathToFileURL(compiled).href);
    await removeDead(below);
  }
}

/** Runs a program to its end; gives its exit code, or the signal that ended it, and what it wrote when it is quiet. */
async function run(argv, env, { quiet = false, niceness = 0, onStart = () => undefined } = {}) {
  const [program, ...args] = argv;
  const out = quiet ? 'pipe' : 'inherit';
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', out, out], detached: true });
  if (niceness > 0 && child.pid !== undefined) setPriority(child.pid, niceness);
  running.add(child);
  onStart(child);
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => chunks.push(chunk));
  try {
    // All of what it wrote has come only when its pipes are closed.
    const [code, signal] = await once(child, quiet ? 'close' : 'exit');
    return { code: code ?? signal, output: Buffer.concat(chunks).toString('utf8') };
  } finally {
    await cleaning;
    running.delete(child);
  }
}

function checkNothingLeft(runDir, before) {
  const left = leftoversOf(runDir, before);
  if (left.length > 0) throw new Problem(`the tests left behind:\n${left.map((line) => `  ${line}`).join('\n')}`);
}

/** What is still mounted or in use there must not be deleted through it; the check has named it. */
function removeRunDir(runDir) {
  const mounts = existsSync('/proc/self/mountinfo') ? readFileSync('/proc/self/mountinfo', 'utf8') : '';
  if (!mounts.includes(runDir)) rmSync(runDir, { recursive: true, force: true, maxRetries: 20 });
}

/** In the order of the parts; those beside each other each with their own time, so that all took less than their sum. */
function summarize() {
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  const order = ['build', 'images', ...PARTS, 'leftovers'];
  const rows = results.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const all = { name: 'all', seconds: performance.now() / 1_000, passed: sum('passed'), failed: sum('failed') };
  process.stdout.write(
    `\n${'part'.padEnd(12)}${'seconds'.padStart(9)}${'passed'.padStart(9)}${'failed'.padStart(9)}\n`,
  );
  for (const { name, seconds, passed, failed } of [...rows, all]) {
    const columns = [seconds.toFixed(1), passed, failed].map((value) => String(value).padStart(9));
    process.stdout.write(`${name.padEnd(12)}${columns.join('')}\n`);
  }
  for (const { name, skipped = 0 } of rows) if (skipped > 0) process.stdout.write(`${name}: ${skipped} skipped\n`);
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed\n`);
  process.exitCode = sum('failed') === 0 ? 0 : 1;
}
