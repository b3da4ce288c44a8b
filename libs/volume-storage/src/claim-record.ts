/** What a service must remember about its volume when it is started again. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { syncFolder } from './volume-folder';

const ClaimRecord = z.object({
  version: z.literal(1),
  /** Counts the attempts that failed for good: each has an idempotency key of its own. */
  attempt: z.int().min(0),
  volumeId: z.string().optional(),
  /** Where this service mounted the volume and has not unmounted it. */
  mountedOn: z.string().optional(),
});
export type ClaimRecord = z.infer<typeof ClaimRecord>;

/** The record of an earlier run, or an empty one; a file that cannot be understood is an error, not a fresh start. */
export async function readClaimRecord(file: string): Promise<ClaimRecord> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { version: 1, attempt: 0 };
    throw error;
  }
  return ClaimRecord.parse(JSON.parse(text));
}

/** Replaces the record so that a crash leaves the old one or the new one. */
export async function writeClaimRecord(file: string, record: ClaimRecord): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const fresh = `${file}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(record)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
  await syncFolder(folder);
}
