/** Where a system keeps its data when nobody says where. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { REPOSITORY } from './node-process';

const OWN_FOLDER = '.brickyard';

/** A path as the user typed it, seen from the folder it was typed in: npm runs scripts in the repository's. */
export function typedPath(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
}

/** The folder named by `--data`, or the default one. */
export function dataDirOf(given: string | undefined): string {
  return given === undefined ? defaultDataDir() : typedPath(given);
}

/**
 * `.brickyard` in the repository. Root's Postgres runs as user `postgres`, which may not enter folders such as /root:
 * then a folder below /var/lib with a name of this repository's own.
 */
function defaultDataDir(): string {
  if (process.getuid?.() !== 0 || canPostgresEnter(REPOSITORY)) return join(REPOSITORY, OWN_FOLDER);
  const name = createHash('sha256').update(REPOSITORY).digest('hex').slice(0, 8);
  return `/var/lib/brickyard-${name}`;
}

function canPostgresEnter(path: string): boolean {
  const folders: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) break;
  }
  if (folders.every((folder) => (statSync(folder).mode & 0o001) !== 0)) return true;
  try {
    execFileSync('setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', 'test', '-x', path], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false; // No such user, no such program, or no right: the other folder is always good.
  }
}
