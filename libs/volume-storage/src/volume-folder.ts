/** A folder of ours on a volume, with a marker that tells which volume it is on: everything else there is somebody else's. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { observed } from './file-operations';
import { guardedWrite, VolumeTrouble } from './volume-errors';

const MARKER = 'volume.json';
const Marker = z.looseObject({ version: z.literal(1), volumeId: z.string() });
type Marker = z.infer<typeof Marker>;

/** The folder, and whether it is still the one that was opened. */
export class VolumeFolder {
  private constructor(
    /** Where it is. */
    readonly root: string,
    private readonly volumeId: string,
  ) {}

  /** Opens the folder on a volume, making it when the volume is new; refuses the folder of another volume. */
  static async open(volumeFolder: string, name: string, volumeId: string): Promise<VolumeFolder> {
    const root = join(volumeFolder, name);
    await mkdir(root, { recursive: true });
    const marker = (await readMarker(root)) ?? (await writeMarker(root, volumeId));
    if (marker.volumeId !== volumeId) {
      throw new Error(`${root} belongs to volume ${marker.volumeId}, not to ${volumeId}`);
    }
    return new VolumeFolder(root, volumeId);
  }

  /** Rejects unless the folder is still the one that was opened: the mount may be gone and the bare directory in sight. */
  async confirm(): Promise<void> {
    const marker = await readMarker(this.root).catch((error: unknown) => {
      throw new VolumeTrouble('the volume does not answer', { cause: error });
    });
    if (marker?.volumeId !== this.volumeId) throw new VolumeTrouble('the volume is not mounted any more');
  }

  /** Writes, syncs, renames and reads in a folder below: what every write needs of the volume. */
  async probe(below: string): Promise<void> {
    await this.confirm();
    const name = join(this.root, below, `probe.${randomBytes(6).toString('hex')}`);
    await guardedWrite('probe', 'the volume', () => writeAndRead(name));
  }
}

/** Rejects unless the file system takes bytes, makes them durable, moves them and gives them back. */
async function writeAndRead(name: string): Promise<void> {
  const handle = await open(name, 'wx');
  try {
    await handle.writeFile('probe');
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(name, `${name}.done`);
  const text = await readFile(`${name}.done`, 'utf8');
  await unlink(`${name}.done`);
  if (text !== 'probe') throw new Error('it gives back other bytes than were written');
}

async function readMarker(root: string): Promise<Marker | undefined> {
  try {
    return Marker.parse(JSON.parse(await readFile(join(root, MARKER), 'utf8')));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Two replicas may come to a new volume at once: the first one's marker stays. */
async function writeMarker(root: string, volumeId: string): Promise<Marker> {
  const marker = { version: 1, volumeId } as const;
  const fresh = join(root, `${MARKER}.${randomBytes(6).toString('hex')}`);
  await writeFile(fresh, `${JSON.stringify(marker)}\n`, { flag: 'wx', flush: true });
  try {
    await link(fresh, join(root, MARKER));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(fresh);
  }
  await syncFolder(root);
  return Marker.parse(JSON.parse(await readFile(join(root, MARKER), 'utf8')));
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Makes renames in a folder durable. */
export function syncFolder(folder: string): Promise<void> {
  return observed('sync folder', async () => {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}
