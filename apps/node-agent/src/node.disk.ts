import * as fs from 'node:fs';
import { chmod, chown, open, rm, rmdir, stat } from 'node:fs/promises';
import type { AppendFile, Disk } from './disk';
import { unless } from './drivers/step-failure';

/** The file system of this machine. */
export const nodeDisk: Disk = {
  exists: fs.existsSync,
  read: (path) => fs.readFileSync(path, 'utf8'),
  list: (path) => fs.readdirSync(path),
  write,
  rename: fs.renameSync,
  syncDirectory(path) {
    const fd = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  makeDirectories(path) {
    fs.mkdirSync(path, { recursive: true });
  },
  openAppend,
  makeDirectory: (path) =>
    atOnce(() => {
      fs.mkdirSync(path);
    }),
  removeFile: (path) => rm(path, { force: true }),
  removeDirectory: rmdir,
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  isDirectory: async (path) => (await stat(path).catch(unless('ENOENT'))) !== undefined,
  async giveToGroup(path, gid) {
    await chown(path, (await stat(path)).uid, gid).catch(unless('EPERM'));
    await chmod(path, 0o2775);
  },
};

/** Now, in this thread: what only touches memory costs a multiple of itself when it is handed to another one. */
const atOnce = (work: () => void): Promise<void> =>
  new Promise((resolve) => {
    work();
    resolve();
  });

function write(path: string, text: string, { mode, sync }: { readonly mode: number; readonly sync: boolean }): void {
  const fd = fs.openSync(path, 'w', mode);
  try {
    fs.writeSync(fd, text);
    if (sync) fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

async function openAppend(path: string, { mode, sync }: Parameters<Disk['openAppend']>[1]): Promise<AppendFile> {
  const file = await open(path, 'a', mode);
  return {
    size: async () => (await file.stat()).size,
    append: (text) =>
      sync
        ? file.appendFile(text)
        : atOnce(() => {
            fs.appendFileSync(file.fd, text);
          }),
    sync: () => file.datasync(),
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  };
}
