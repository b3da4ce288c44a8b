/**
 * `npm run package`: one archive with everything that runs on a host besides Node itself: compiled code, dependencies
 * without those for building and testing, units for systemd, documentation. `--out FOLDER` says where it goes, `--version`
 * what the release is called; the version of package.json and the commit are the default.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { begin, build, installDependencies, Problem, quietly, root, say } from './bootstrap.mjs';

const APPS = ['allocator', 'api-gateway', 'cli', 'console', 'node-agent', 'object-gateway', 'registry-backend'];
/** What a part has besides its manifest. */
const SHIPPED = ['dist', 'bin', 'assets'];
const NOT_SHIPPED = /\.(d\.[cm]?ts|map|tsbuildinfo)$|\.spec\.js$|\/testing(\.js$|$)/;
/** What dependencies bring for those who build with them or read them. */
const UNWANTED = /\.(d\.[cm]?ts|map|md|markdown|tsbuildinfo|spec\.js)$/;

await begin(async () => {
  const { values } = parseArgs({ options: { out: { type: 'string' }, version: { type: 'string' } } });
  const version = values.version ?? versionOfTree();
  if (!/^[0-9A-Za-z.+-]+$/.test(version)) throw new Problem(`"${version}" cannot be the name of a release`);
  const out = resolve(values.out ?? join(root, 'dist'));
  await installDependencies();
  await build();
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-package-'));
  try {
    const name = `brickyard-${version}`;
    const release = join(folder, name);
    mkdirSync(release);
    await fill(release);
    writeFileSync(join(release, 'VERSION'), `${version}\n`);
    mkdirSync(out, { recursive: true });
    const archive = join(out, `${name}.tar.gz`);
    await pack(folder, name, archive);
    say(archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function versionOfTree() {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  try {
    const git = (...args) =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const isChanged = git('status', '--porcelain') !== '';
    return `${version}+${git('rev-parse', '--short=10', 'HEAD').trim()}${isChanged ? '.changed' : ''}`;
  } catch {
    return version; // Sources without their history.
  }
}

async function fill(release) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const parts = Object.keys(lock.packages).filter((path) => !path.includes('node_modules/'));
  for (const path of parts) copyFile(join(path, 'package.json'), release);
  for (const path of ['package-lock.json', '.npmrc']) copyFile(path, release);
  say('npm ci --omit=dev');
  const workspaces = APPS.flatMap((name) => ['--workspace', `apps/${name}`]);
  const argv = [
    'npm',
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    ...workspaces,
  ];
  const { code, output } = await quietly(argv, { cwd: release });
  if (code !== 0) throw new Problem(`npm ci failed:\n${output}`);
  for (const path of ['.npmrc', 'package-lock.json']) rmSync(join(release, path));
  removeUnwanted(join(release, 'node_modules'));
  const shipped = parts.filter((path) => path.startsWith('libs/') || APPS.some((name) => path === `apps/${name}`));
  for (const path of parts.filter((one) => one !== '' && !shipped.includes(one)))
    rmSync(join(release, path), { recursive: true });
  rmSync(join(release, 'tools'), { recursive: true, force: true });
  removeDangling(join(release, 'node_modules/@brickyard'));
  for (const path of shipped) for (const name of SHIPPED) copyTree(join(path, name), release);
  for (const path of ['docs', 'deploy/systemd', 'deploy/observability']) copyTree(path, release, () => true);
  copyFile('LICENSE', release);
  cpSync(join(root, 'deploy/systemd/install'), join(release, 'install'));
  rmSync(join(release, 'deploy/systemd/install'));
  for (const name of readdirSync(join(release, 'apps/cli/bin'))) chmodSync(join(release, 'apps/cli/bin', name), 0o755);
}

function copyFile(path, release) {
  mkdirSync(dirname(join(release, path)), { recursive: true });
  cpSync(join(root, path), join(release, path));
}

function copyTree(path, release, filter = (file) => !NOT_SHIPPED.test(file)) {
  if (!existsSync(join(root, path))) return;
  cpSync(join(root, path), join(release, path), { recursive: true, filter });
}

/** Types, maps and reading matter of dependencies; licences stay. Links to our own parts are left alone. */
function removeUnwanted(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeUnwanted(path);
    else if (entry.isFile() && UNWANTED.test(path) && !/licen[cs]e/i.test(entry.name)) rmSync(path);
  }
}

/** npm links every part of the workspace, also those that only build and test. */
function removeDangling(folder) {
  for (const name of readdirSync(folder)) if (!existsSync(join(folder, name))) rmSync(join(folder, name));
}

/** The same bytes for the same contents, whoever packs them. */
async function pack(folder, name, archive) {
  const plain = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=2000-01-01T00:00:00Z'];
  const argv = [
    'tar',
    '--create',
    '--file',
    archive,
    '--use-compress-program',
    'gzip -n -6',
    ...plain,
    '-C',
    folder,
    name,
  ];
  const { code, output } = await quietly(argv);
  if (code !== 0) throw new Problem(`tar failed:\n${output}`);
}
