/** Loop devices, which outlive whoever attached them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deviceNumber, readLoops } from '@brickyard/hosts';
import { run } from './program';

/** The images of bricks that lie below the folder, as loop devices name them: a path of another mount namespace is not ours. */
export function imagesBelow(folder: string): ReadonlySet<string> {
  if (!existsSync(folder)) return new Set();
  const images = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.img'));
  return new Set(
    images.map((name) => {
      const { dev, ino } = statSync(join(folder, name));
      return identity(deviceNumber(dev), ino);
    }),
  );
}

/** Detaches those that show one of these files; tells which these were. */
export async function detach(images: ReadonlySet<string>): Promise<readonly string[]> {
  const attached = (await readLoops()).filter(({ fileDevice, fileInode }) =>
    images.has(identity(fileDevice, fileInode)),
  );
  for (const { name } of attached) await run(['losetup', '--detach', name]);
  return attached.map(({ name, file }) => `${name}: ${file}`);
}

const identity = (device: string, inode: number): string => `${device} ${String(inode)}`;
