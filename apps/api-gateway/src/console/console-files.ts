/** The files of the console, read once at the start: a page that asks nobody but this gateway for anything. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** One file as it is sent. */
export interface ConsoleFile {
  readonly type: string;
  readonly body: Buffer;
  readonly zipped: Buffer;
  readonly etag: string;
}

/** Files by their path below `/console/`; `index.html` is the page. */
export type ConsoleFiles = ReadonlyMap<string, ConsoleFile>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The modules of Preact that the page imports, by the name it knows them under. */
const VENDOR: Readonly<Record<string, string>> = {
  'vendor/preact.mjs': 'dist/preact.mjs',
  'vendor/hooks.mjs': 'hooks/dist/hooks.mjs',
  'vendor/jsx-runtime.mjs': 'jsx-runtime/dist/jsxRuntime.mjs',
};

/** Reads the console's files; none when the console is not installed beside this gateway. */
export function readConsoleFiles(): ConsoleFiles {
  const files = new Map<string, ConsoleFile>();
  const folder = folderOf('@brickyard/console');
  if (folder === undefined || !existsSync(join(folder, 'dist'))) return files;
  const preact = folderOf('preact', join(folder, 'package.json'));
  if (preact === undefined) return files;
  for (const part of ['dist', 'assets']) {
    for (const name of readdirSync(join(folder, part))) {
      const isServed = extname(name) in TYPES && !name.includes('.spec.');
      const file = isServed ? readFileSync(join(folder, part, name)) : undefined;
      if (file !== undefined) files.set(name, fileOf(name, file));
    }
  }
  for (const [name, path] of Object.entries(VENDOR)) files.set(name, fileOf(name, readFileSync(join(preact, path))));
  return files;
}

function folderOf(packageName: string, from = __filename): string | undefined {
  try {
    return dirname(createRequire(from).resolve(`${packageName}/package.json`));
  } catch {
    return undefined; // Not installed.
  }
}

function fileOf(name: string, body: Buffer): ConsoleFile {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
  return { type: TYPES[extname(name)] ?? 'application/octet-stream', body, zipped: gzipSync(body), etag };
}

/** The hash of the one inline script of a page, its import map, as a content security policy names it. */
export function inlineScriptHash(page: Buffer): string {
  const script = /<script type="importmap">([^<]*)<\/script>/.exec(page.toString('utf8'))?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}
