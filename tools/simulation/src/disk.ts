/** A disk in memory: calls take time, may fail, and a power cut takes what was not synced. */
import type { Kernel, Proc } from './kernel';
import type { AppendFile, Disk } from './product';

interface FileNode {
  text: string;
  /** What a power cut leaves of it. */
  durable: string;
}

/** What lies on the disk of one host. */
export interface Platter {
  readonly files: Map<string, FileNode>;
  readonly directories: Set<string>;
}

export const emptyPlatter = (): Platter => ({ files: new Map(), directories: new Set(['/']) });

export const copyOfPlatter = ({ files, directories }: Platter): Platter => ({
  files: new Map([...files].map(([path, file]) => [path, { ...file }])),
  directories: new Set(directories),
});

/** How a disk behaves. */
export interface DiskBehaviour {
  readonly kernel: Kernel;
  /** The process that uses it; absent: what uses it never dies, and every call is done at once. */
  readonly proc?: Proc;
  /** Chance that a call fails as on a full or broken disk. */
  readonly failures?: () => number;
}

const complain = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });
const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** The disk as one process sees it. */
export function diskOn({ files, directories }: Platter, { kernel, proc, failures }: DiskBehaviour): Disk {
  const { random } = kernel;
  const done = <T>(work: () => T, path: string): Promise<T> => {
    if (proc === undefined) return Promise.resolve().then(work);
    return new Promise((resolve, reject) => {
      // The system call goes on when its caller dies: it is done or not.
      const runs = (): void => {
        if (!proc.isAlive && random.chance(0.5)) return;
        const isBroken = random.chance(failures?.() ?? 0);
        let settle = (): void => undefined;
        try {
          if (isBroken) throw complain(random.pick(['EIO', 'ENOSPC']), path);
          const value = work();
          settle = () => {
            resolve(value);
          };
        } catch (error) {
          settle = () => {
            reject(error instanceof Error ? error : new Error(String(error)));
          };
        }
        kernel.later(random.between(0, 1), settle, proc);
      };
      kernel.outside(random.chance(0.02) ? random.between(5, 300) : random.between(0.05, 2), runs);
    });
  };
  const mustRead = (path: string): FileNode => {
    const file = files.get(path);
    if (file === undefined) throw complain('ENOENT', path);
    return file;
  };
  const childrenOf = (path: string): string[] =>
    [...files.keys(), ...directories].filter((other) => other !== path && parentOf(other) === path);
  const makeDirectories = (path: string): void => {
    for (let at = path; !directories.has(at); at = parentOf(at)) directories.add(at);
  };
  const openAppend = (path: string): Promise<AppendFile> => {
    if (!files.has(path)) files.set(path, { text: '', durable: '' });
    const file = mustRead(path);
    return Promise.resolve({
      size: () => Promise.resolve(file.text.length),
      append: (text) =>
        done(() => {
          file.text += text;
        }, path),
      sync: () =>
        done(() => {
          file.durable = file.text;
        }, path),
      truncate: (size) => {
        file.text = file.text.slice(0, size);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  };
  return {
    exists: (path) => files.has(path) || directories.has(path),
    read: (path) => mustRead(path).text,
    list: (path) => {
      if (!directories.has(path)) throw complain('ENOENT', path);
      return childrenOf(path).map((child) => child.slice(path.length + 1));
    },
    write(path, text, { sync }) {
      files.set(path, { text, durable: sync ? text : (files.get(path)?.durable ?? '') });
    },
    rename(from, to) {
      files.set(to, mustRead(from));
      files.delete(from);
    },
    syncDirectory: () => undefined,
    makeDirectories,
    openAppend,
    makeDirectory: (path) =>
      done(() => {
        if (directories.has(path)) throw complain('EEXIST', path);
        if (!directories.has(parentOf(path))) throw complain('ENOENT', path);
        directories.add(path);
      }, path),
    removeFile: (path) =>
      done(() => {
        files.delete(path);
      }, path),
    removeDirectory: (path) =>
      done(() => {
        if (!directories.has(path)) throw complain('ENOENT', path);
        if (childrenOf(path).length > 0) throw complain('ENOTEMPTY', path);
        directories.delete(path);
      }, path),
    removeTree: (path) =>
      done(() => {
        for (const other of [...files.keys()]) if (other.startsWith(`${path}/`)) files.delete(other);
        for (const other of [...directories]) {
          if (other === path || other.startsWith(`${path}/`)) directories.delete(other);
        }
      }, path),
    isDirectory: (path) => done(() => directories.has(path), path),
    giveToGroup: (path) =>
      done(() => {
        if (!directories.has(path)) throw complain('ENOENT', path);
      }, path),
  };
}

/** The power fails: of what was appended and not synced, a part is left, maybe half a line. Directories stand for what the volume manager keeps. */
export function cutPower({ files }: Platter, kernel: Kernel): void {
  const { random } = kernel;
  for (const file of files.values()) {
    const unsynced = file.text.startsWith(file.durable) ? file.text.slice(file.durable.length) : '';
    file.text = file.durable + unsynced.slice(0, random.below(unsynced.length + 1));
    file.durable = file.text;
  }
}
