/**
 * `npm test`: everything that must hold, from a fresh clone: build, lint, unit, integration and whole-system tests.
 * `npm test -- unit int` runs only these parts, after a build.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { begin, build, installDependencies, installPackages, Problem, root, say } from './bootstrap.mjs';
import { leftoversOf, markBefore } from './leftovers.mjs';

/** What was run, in order: name, seconds, passed, failed. */
const results = [];
/** The program that runs now, in a group of its own: it ends with us, at once, and its servers with it. */
let child;

const PARTS = ['lint', 'unit', 'int', 'e2e'];

await begin(async () => {
  const wanted = wantedParts();
  const runDir = makeRunDir();
  endOnSignal(runDir);
  const before = markBefore();
  const env = {
    ...process.env,
    // Everything a test makes lies here, so that what it leaves behind can be told from what was there.
    TMPDIR: runDir,
    CI: 'true',
    NX_DAEMON: 'false',
    NX_NO_CLOUD: 'true',
    SCARF_ANALYTICS: 'false',
  };
  try {
    await setUp();
    if (await part('build', () => oneThing(() => build()))) {
      for (const name of wanted) await part(name, () => (name === 'lint' ? lint(env) : jest(name, runDir, env)));
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

async function lint(env) {
  if ((await run(['npm', 'run', '--silent', 'lint'], env)) !== 0) throw new Problem('the linters have complaints');
  return { passed: 0, failed: 0 };
}

async function jest(kind, runDir, env) {
  const report = join(runDir, `${kind}.json`);
  const program = [process.execPath, join(root, 'node_modules/jest/bin/jest.js')];
  const options = ['--selectProjects', kind, '--ci', '--json', `--outputFile=${report}`, '--passWithNoTests'];
  const code = await run([...program, ...options, ...(kind === 'e2e' ? ['--runInBand'] : [])], env);
  if (!existsSync(report)) throw new Problem(`jest ended with ${code} and no report`);
  const told = JSON.parse(readFileSync(report, 'utf8'));
  // A file that cannot even be loaded holds no counted test.
  const failed = told.numFailedTests + told.numRuntimeErrorTestSuites;
  return { passed: told.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
}

function endOnSignal(runDir) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      if (child !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      removeRunDir(runDir);
      process.exit(1);
    });
  }
}

async function run(argv, env) {
  const [program, ...args] = argv;
  child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const [code, signal] = await once(child, 'exit');
  return code ?? signal;
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

function summarize() {
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  process.stdout.write(
    `\n${'part'.padEnd(12)}${'seconds'.padStart(9)}${'passed'.padStart(9)}${'failed'.padStart(9)}\n`,
  );
  for (const { name, seconds, passed, failed } of [
    ...results,
    { name: 'all', seconds: sum('seconds'), passed: sum('passed'), failed: sum('failed') },
  ]) {
    const columns = [seconds.toFixed(1), passed, failed].map((value) => String(value).padStart(9));
    process.stdout.write(`${name.padEnd(12)}${columns.join('')}\n`);
  }
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed\n`);
  process.exitCode = sum('failed') === 0 ? 0 : 1;
}
