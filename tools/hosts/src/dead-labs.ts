/**
 * Notes of the labs on this machine, so that what a killed run left is found by whoever comes next. They lie where the machine
 * forgets them when it boots, as it forgets namespaces, mounts and loop devices. A loop device is known by the file behind it:
 * of a lab whose files are gone, too, it stays.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { clearMachine, lockLab } from './leftovers';
import { isWithin } from './mount-table';
import type { Network } from './network';
import { blockOf, textOf } from './subnet';

const NOTES = '/run/brickyard-hosts';

const Note = z.object({ directory: z.string(), subnet: z.string() });

/** Notes a lab that is running; its lock must be held. */
export function noteLab(directory: string, { prefix, subnet }: Network): void {
  mkdirSync(NOTES, { recursive: true });
  const file = join(NOTES, prefix);
  writeFileSync(`${file}.new`, `${JSON.stringify({ directory, subnet: textOf(subnet) })}\n`);
  renameSync(`${file}.new`, file);
}

/** Forgets a lab that is off the machine; its lock must be held. */
export function forgetLab(prefix: string): void {
  rmSync(join(NOTES, prefix), { force: true });
}

/**
 * Removes from the machine what runs that were killed have left of their labs, whatever their directories, or of those below
 * one directory, and names it; labs whose owners live are left alone, and so are files.
 */
export async function removeDeadLabs(below = '/'): Promise<string[]> {
  const removed: string[] = [];
  const prefixes = existsSync(NOTES) ? readdirSync(NOTES).filter((name) => !name.endsWith('.new')) : [];
  for (const prefix of prefixes) {
    const note = noteOf(prefix);
    if (note === undefined || !isWithin(below, note.directory)) continue;
    const lock = await lockLab(note.directory, prefix).catch(() => undefined); // Somebody runs it.
    if (lock === undefined) continue;
    try {
      removed.push(...(await clearMachine(note.directory, prefix, { prefix, subnet: blockOf(note.subnet) })));
      forgetLab(prefix);
    } finally {
      await lock.release();
    }
  }
  return removed;
}

/** Undefined when the lab has been forgotten meanwhile. */
function noteOf(prefix: string): z.infer<typeof Note> | undefined {
  const file = join(NOTES, prefix);
  return existsSync(file) ? Note.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}
