/** Files with known content, written into a mounted volume and read back. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const SIZE_MAX = 256 * 1024;

/** What was written, to be found again. */
export interface WrittenFiles {
  readonly count: number;
  readonly bytes: number;
  /** Writes new files into a folder of the volume. */
  write(folder: string, count: number): Promise<void>;
  /** Gives known files new content. */
  overwrite(count: number): Promise<void>;
  /** Reads every file back; throws with the names of those that differ. */
  verify(): Promise<void>;
}

/** Keeps the checksums of files below a mount point. */
export function filesBelow(mountPoint: string): WrittenFiles {
  const written = new Map<string, { readonly sha256: string; readonly bytes: number }>();
  const put = async (name: string): Promise<void> => {
    const content = randomBytes(randomInt(1, SIZE_MAX));
    const path = join(mountPoint, name);
    mkdirSync(dirname(path), { recursive: true });
    await writeFile(path, content, { flush: true });
    written.set(name, { sha256: sha256Of(content), bytes: content.length });
  };
  return {
    get count() {
      return written.size;
    },
    get bytes() {
      return [...written.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    },
    async write(folder, count) {
      for (let number = 1; number <= count; number += 1) await put(join(folder, `${String(number)}.bin`));
    },
    async overwrite(count) {
      for (const name of [...written.keys()].slice(0, count)) await put(name);
    },
    async verify() {
      const wrong: string[] = [];
      for (const [name, { sha256 }] of written) {
        if (sha256Of(await readFile(join(mountPoint, name))) !== sha256) wrong.push(name);
      }
      if (wrong.length > 0)
        throw new Error(`${String(wrong.length)} files differ from what was written: ${wrong.join(', ')}`);
    },
  };
}

const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
