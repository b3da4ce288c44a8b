/** A "device" of the loop-xfs driver: a sparse file that begins with the mark of its owner. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { z } from 'zod';
import { codeOf, refusal, unless } from '../step-failure';

/** The mark takes the first 4 KiB; that no more than zeros follow is checked for the first MiB. */
const MARK_BYTES = 4096;
const LOOKED_AT_BYTES = 1024 * 1024;

const Mark = z.strictObject({
  brickyard: z.literal('device'),
  version: z.literal(1),
  deviceId: z.string(),
});

/** What the beginning of a device file says. */
export type Beginning =
  { readonly kind: 'empty' } | { readonly kind: 'ours'; readonly deviceId: string } | { readonly kind: 'foreign' };

/** The size of a device file, bytes; refuses what is not a regular file. */
export async function sizeOf(name: string): Promise<number> {
  const found = await stat(name).catch(unless('ENOENT', 'ENOTDIR'));
  if (found === undefined) {
    throw refusal(`${name} does not exist on this host; make it with: truncate -s SIZE ${name}`);
  }
  if (!found.isFile()) {
    throw refusal(`${name} is not a regular file; this host's brick driver is loop-xfs, which keeps bricks in files`);
  }
  return found.size;
}

/** Reads who owns a device file. */
export async function readBeginning(name: string): Promise<Beginning> {
  const file = await open(name, 'r');
  try {
    const deviceId = deviceIdIn(await read(file, MARK_BYTES));
    if (deviceId !== undefined) return { kind: 'ours', deviceId };
    const isEmpty = (await read(file, LOOKED_AT_BYTES)).every((byte) => byte === 0);
    return { kind: isEmpty ? 'empty' : 'foreign' };
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
  return buffer.subarray(0, bytesRead);
}

function deviceIdIn(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8').replace(/\0+$/, '');
  if (!text.startsWith('{')) return undefined;
  try {
    return Mark.parse(JSON.parse(text)).deviceId;
  } catch {
    return undefined; // Somebody else's JSON.
  }
}

/** Writes the owner's mark over the beginning of the file. */
export async function writeMark(name: string, deviceId: string): Promise<void> {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.write(JSON.stringify({ brickyard: 'device', version: 1, deviceId } satisfies z.infer<typeof Mark>));
  await overwrite(name, (file) => file.write(bytes, 0, MARK_BYTES, 0));
}

/** Takes the mark away again: the file is empty afterwards. */
export async function eraseMark(name: string): Promise<void> {
  await overwrite(name, (file) => file.write(Buffer.alloc(MARK_BYTES), 0, MARK_BYTES, 0));
}

/** Empties a file without changing its size. */
export async function wipe(name: string): Promise<void> {
  const { size } = await stat(name);
  await overwrite(name, async (file) => {
    await file.truncate(0);
    await file.truncate(size);
  });
}

async function overwrite(name: string, write: (file: FileHandle) => Promise<unknown>): Promise<void> {
  const file = await open(name, 'r+');
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Checks that the device file is this device's; refuses if it is gone or another's. */
export async function checkOwner(name: string, deviceId: string): Promise<void> {
  const owner = await readBeginning(name).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') throw refusal(`device ${name} is gone from this host; bring it back`);
    throw error;
  });
  if (owner.kind === 'ours' && owner.deviceId === deviceId) return;
  throw refusal(`${name} on this host is not device ${deviceId}; was the file replaced?`);
}
