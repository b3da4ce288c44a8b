/** The last disk of the virtual machine: this Node.js, and exactly the compiled files that the tests load, or a whole release. */
import { cp, copyFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { type Host, Problem } from './host';

const TIMEOUT_MS = 2 * 60_000;
const SIZE = '400M';
const LIST_LOADED =
  'require(process.argv[1]); process.stdout.write(JSON.stringify(Object.keys(require.cache)), () => process.exit(0))';

/** Makes the disk image in `directory`; `entries` are compiled files, the first of them is what the guest runs, with `words`. */
export async function makePayload(
  host: Host,
  root: string,
  entries: readonly string[],
  words: readonly string[],
  directory: string,
): Promise<string> {
  const tree = join(directory, 'payload');
  await mkdir(join(tree, 'node'), { recursive: true });
  await copyNode(host, join(tree, 'node'));
  const files = await loadedBy(host, root, entries);
  for (const file of files) await copyFrom(root, tree, file);
  await linkPackages(root, tree, files);
  await writeFile(join(tree, 'words'), `/payload/${entries[0] ?? ''} /payload/node/run ${words.join(' ')}\n`);
  const image = join(directory, 'payload.img');
  const mkfs = ['mkfs.ext4', '-q', '-F', '-L', 'payload', '-O', '^has_journal', '-d', tree, image, SIZE];
  await host.run(mkfs, { timeoutMs: TIMEOUT_MS });
  host.say(`packed Node.js ${process.version} and ${String(files.length)} compiled files for the guest`);
  return image;
}

/** Tools that the tests of a whole system use in the guest, beside the release. */
const TOOLS = ['hosts', 'lvm-vm', 'servers', 'stack'];
const RELEASE_SIZE = '900M';
const PACKAGE_TIMEOUT_MS = 10 * 60_000;

/**
 * Makes the disk image of a whole release as `npm run package` packs it: the archive, the same unpacked with the tools that
 * the tests need, and Node.js. `entry` is what the guest runs, with `words`.
 */
export async function makeReleasePayload(
  host: Host,
  root: string,
  entry: string,
  words: readonly string[],
  directory: string,
): Promise<string> {
  host.say('packing a release (npm run package)');
  const packed = join(directory, 'package');
  await host.run([process.execPath, join(root, 'tools/package.mjs'), '--out', packed, '--version', 'guest'], {
    timeoutMs: PACKAGE_TIMEOUT_MS,
  });
  const tree = join(directory, 'payload');
  await mkdir(tree, { recursive: true });
  const [archive = ''] = await readdir(packed);
  await host.run(['tar', 'xf', join(packed, archive), '--strip-components=1', '-C', tree], { timeoutMs: TIMEOUT_MS });
  await rename(join(packed, archive), join(tree, archive));
  for (const tool of TOOLS) await copyTool(root, tree, tool);
  await copyFile(process.execPath, join(tree, 'node'));
  await writeFile(join(tree, 'words'), `/payload/${entry} ${words.join(' ')}\n`);
  const image = join(directory, 'payload.img');
  const mkfs = ['mkfs.ext4', '-q', '-F', '-L', 'payload', '-O', '^has_journal', '-d', tree, image, RELEASE_SIZE];
  await host.run(mkfs, { timeoutMs: TIMEOUT_MS });
  return image;
}

async function copyTool(root: string, tree: string, tool: string): Promise<void> {
  const folder = join('tools', tool);
  for (const name of ['package.json', 'dist']) {
    await cp(join(root, folder, name), join(tree, folder, name), { recursive: true });
  }
  const link = join(tree, 'node_modules/@brickyard', tool);
  await symlink(relative(dirname(link), join(tree, folder)), link);
}

/** With its own loader and libraries, so that it runs whatever release the guest is. */
async function copyNode(host: Host, directory: string): Promise<void> {
  await mkdir(join(directory, 'lib'));
  await copyFile(process.execPath, join(directory, 'node'));
  const libraries = (await host.run(['ldd', process.execPath], { timeoutMs: TIMEOUT_MS })).matchAll(/(\/\S+) \(0x/g);
  const files = Array.from(libraries, ([, file = '']) => file);
  for (const file of files) await cp(file, join(directory, 'lib', basename(file)), { dereference: true });
  const loader = files.map((file) => basename(file)).find((name) => name.startsWith('ld-linux'));
  if (loader === undefined) throw new Problem(`${process.execPath} does not say which loader it needs`);
  const place = '/payload/node';
  const words = `exec ${place}/lib/${loader} --library-path ${place}/lib ${place}/node "$@"`;
  await writeFile(join(directory, 'run'), `#!/bin/sh\n${words}\n`, { mode: 0o755 });
}

/** Files of the repository that Node.js loads for the entries, relative to the root; found by loading them. */
async function loadedBy(host: Host, root: string, entries: readonly string[]): Promise<readonly string[]> {
  const files = new Set<string>();
  for (const entry of entries) {
    const list = await host.run([process.execPath, '-e', LIST_LOADED, join(root, entry)], { timeoutMs: TIMEOUT_MS });
    for (const file of JSON.parse(list) as string[]) files.add(relative(root, file));
  }
  const manifests = [...files].flatMap((file) => manifestsAbove(root, file));
  return [...new Set([...files, ...manifests])].sort();
}

function manifestsAbove(root: string, file: string): string[] {
  const found: string[] = [];
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(join(root, manifest))) found.push(manifest);
  }
  return found;
}

async function copyFrom(root: string, tree: string, file: string): Promise<void> {
  if (file.startsWith('..')) throw new Problem(`the tests load ${file}, which is outside of the repository`);
  await mkdir(dirname(join(tree, file)), { recursive: true });
  await copyFile(join(root, file), join(tree, file));
}

/** Our own packages are found by links in node_modules, as in the repository. */
async function linkPackages(root: string, tree: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (basename(file) !== 'package.json' || file.includes('node_modules/')) continue;
    const { name } = JSON.parse(await readFile(join(root, file), 'utf8')) as { name: string };
    const link = join(tree, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(relative(dirname(link), join(tree, dirname(file))), link);
  }
}
