/** Loop devices, which outlive whoever attached them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from './program';

/** A loop device, and the file it shows; the kernel names a file of another mount namespace by a path that is not ours. */
interface Loop {
  readonly device: string;
  readonly file: string;
  /** Device and inode, by which the file is known everywhere. */
  readonly id: string;
}

const LoopList = z.object({
  loopdevices: z.array(
    z.object({
      name: z.string(),
      'back-file': z.string().nullable(),
      'back-maj:min': z.string().nullable(),
      'back-ino': z.union([z.string(), z.number()]),
    }),
  ),
});

async function loops(): Promise<readonly Loop[]> {
  const columns = ['--output', 'NAME,BACK-MAJ:MIN,BACK-INO,BACK-FILE'];
  const told = await run(['losetup', '--list', '--json', ...columns]);
  // Without any device it says nothing at all.
  const { loopdevices } = LoopList.parse(told.trim() === '' ? { loopdevices: [] } : JSON.parse(told));
  return loopdevices.map((one) => ({
    device: one.name,
    file: one['back-file'] ?? '',
    id: `${one['back-maj:min']?.trim() ?? ''}:${String(one['back-ino'])}`,
  }));
}

/** The images of bricks that lie below the folder, as loop devices name them. */
export function imagesBelow(folder: string): ReadonlySet<string> {
  if (!existsSync(folder)) return new Set();
  const images = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.img'));
  return new Set(
    images.map((name) => {
      const { dev, ino } = statSync(join(folder, name), { bigint: true });
      const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
      return `${String(major)}:${String(minor)}:${String(ino)}`;
    }),
  );
}

/** Detaches those that show one of these files; tells which these were. */
export async function detach(images: ReadonlySet<string>): Promise<readonly string[]> {
  const attached = (await loops()).filter(({ id }) => images.has(id));
  for (const { device } of attached) await run(['losetup', '--detach', device]);
  return attached.map(({ device, file }) => `${device}: ${file}`);
}
