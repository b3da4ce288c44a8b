/**
 * `npm run audit`: what is installed is what was chosen. Every dependency has one exact version and the checksum npm
 * verifies, a licence that lets the product be given away, and no script that runs when it is installed. Known
 * vulnerabilities are asked for at the registry; one that does not answer such questions is named, and is no failure.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { begin, Problem, root, say } from './bootstrap.mjs';

/** Licences under which a dependency may come along; what only builds and tests may also have those in `FOR_TOOLS`. */
const LICENCES = new Set([
  ...['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'CC0-1.0', 'Unlicense'],
]);
const FOR_TOOLS = new Set(['MPL-2.0', 'Python-2.0', 'CC-BY-3.0', 'CC-BY-4.0']);
const SEVERE = new Set(['high', 'critical']);
const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
/** One package under the name of another, so that two versions of it are there. */
const ALIAS = /^npm:(@?[^@]+)@(.+)$/;
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;
const ADVISORIES_MS = 30_000;

const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** Everything wrong with what the lock file and the manifests say; empty when all is well. */
export function problemsOf(lock, manifests, allowScripts) {
  const packages = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);
  return [
    ...manifests.flatMap(({ path, manifest }) => inexact(path, manifest, lock)),
    ...packages.flatMap(([path, entry]) => problemsOfPackage(path, entry, allowScripts)),
  ];
}

/** A range would let an installation differ from the one that was tested. */
function inexact(path, manifest, lock) {
  const wanted = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  return wanted.flatMap(([name, told]) => {
    if (name.startsWith('@brickyard/')) return [];
    const [, real = name, version = told] = ALIAS.exec(told) ?? [];
    if (!EXACT.test(version)) return [`${path}: ${name} is ${told}, which is no exact version`];
    const locked = lock.packages[`${dirname(path)}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`];
    if (locked?.version === version && (locked.name ?? name) === real) return [];
    const found = locked === undefined ? 'nothing' : `${locked.name ?? ''} ${locked.version}`.trim();
    return [`${path}: ${name} is ${told}, and ${found} in package-lock.json`];
  });
}

function problemsOfPackage(path, { version, license, integrity, dev, optional, hasInstallScript }, allowScripts) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const what = `${name} ${version}`;
  const problems = [];
  // npm records none for packages of other platforms, and installs none of them here.
  if (integrity === undefined && optional !== true) problems.push(`${what}: no checksum`);
  if (integrity !== undefined && !SHA512.test(integrity)) problems.push(`${what}: the checksum is not SHA-512`);
  if (!isAllowed(license, dev === true)) problems.push(`${what}: licence ${license ?? 'unknown'}`);
  if (hasInstallScript === true && allowScripts[name] === undefined) {
    problems.push(`${what}: runs a script when it is installed; decide in allowScripts of package.json`);
  }
  return problems;
}

/** Of an OR one is enough; of an AND all are needed. */
function isAllowed(license, isTool) {
  if (typeof license !== 'string') return false;
  const isKnown = (name) => LICENCES.has(name) || (isTool && FOR_TOOLS.has(name));
  const one = (terms) => terms.split(' AND ').every((name) => isKnown(name.trim()));
  return license
    .replace(/^\(|\)$/g, '')
    .split(' OR ')
    .some(one);
}

/** What the registry knows against the packages; undefined when it does not answer. */
function advisories() {
  const options = { cwd: root, encoding: 'utf8', timeout: ADVISORIES_MS, maxBuffer: 2 ** 28 };
  const { stdout } = spawnSync('npm', ['audit', '--json', '--fetch-retries=0'], options);
  try {
    return JSON.parse(stdout).vulnerabilities;
  } catch {
    return undefined;
  }
}

/** Throws a problem that names everything at fault. */
export function audit() {
  const lock = readJson('package-lock.json');
  const manifests = Object.keys(lock.packages)
    .filter((path) => !path.includes('node_modules/'))
    .map((path) => join(path, 'package.json'))
    .map((path) => ({ path, manifest: readJson(path) }));
  const found = problemsOf(lock, manifests, readJson('package.json').allowScripts);
  const known = advisories();
  if (known === undefined) say('known vulnerabilities: not asked, the registry does not answer audits');
  for (const { name, severity, range } of Object.values(known ?? {})) {
    if (SEVERE.has(severity)) found.push(`${name} ${range}: a vulnerability of severity ${severity} is known`);
    else say(`${name} ${range}: a vulnerability of severity ${severity} is known`);
  }
  if (found.length > 0) throw new Problem(`dependencies:\n${found.map((line) => `  ${line}`).join('\n')}`);
  const count = Object.keys(lock.packages).filter((path) => path.includes('node_modules/')).length;
  say(`${count} dependencies: exact versions, checksums, licences and scripts are as they must be`);
}

if (process.argv[1] === import.meta.filename) await begin(audit);
