import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const DEBIAN_POSTGRES_ROOT = '/usr/lib/postgresql';

/** Folders searched after PATH: an ordinary user's PATH has no sbin, where Debian keeps nats-server. */
const SYSTEM_FOLDERS = ['/usr/local/bin', '/usr/local/sbin', '/usr/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** A folder with `initdb` and `postgres` of one major version. */
export interface PostgresBinaries {
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
}

/** Every Postgres found on this machine, newest first. */
export function findPostgres(): readonly PostgresBinaries[] {
  const debian = listFolder(DEBIAN_POSTGRES_ROOT)
    .filter((name) => /^\d+$/.test(name))
    .sort((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN_POSTGRES_ROOT, version, 'bin'));
  return [...debian, ...searchFolders()]
    .map((folder) => ({ folder, initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }))
    .filter(({ initdb, postgres }) => isExecutable(initdb) && isExecutable(postgres));
}

/** The path of a program on PATH or in a system folder. */
export function findProgram(name: string): string | undefined {
  return searchFolders()
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** Names of the Debian packages that must be installed before `startPostgres` and `startNats` can work; empty when all is there. */
export function missingServers(): string[] {
  return [
    ...(findPostgres().length === 0 ? ['postgresql'] : []),
    ...(findProgram('nats-server') === undefined ? ['nats-server'] : []),
  ];
}

/** Tells the one line to type when a server is not installed. */
export function notInstalled(what: string, debianPackage: string): Error {
  return new Error(`${what} is not installed. Type: sudo apt-get install -y ${debianPackage}`);
}

function searchFolders(): readonly string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...path, ...SYSTEM_FOLDERS])];
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // A folder that is not there holds no version.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
