/** Loop devices: the block device that a brick's image file appears as. Their names mean nothing; the file does. */
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { causeOf, commandFailed, type HostCommand, mustRun } from '../host-command';
import { passing } from '../step-failure';

const TIMEOUT_MS = 30_000;
const ATTACH_TRIES = 5;

/** The loop devices a file is attached to. */
export async function loopsOf(run: HostCommand, image: string): Promise<readonly string[]> {
  const detail = 'the loop devices of this host cannot be listed';
  const out = await mustRun(
    run,
    ['losetup', '--noheadings', '--output', 'NAME', '--associated', image],
    TIMEOUT_MS,
    detail,
  );
  return out.split('\n').filter((name) => name !== '');
}

const Loops = z.object({
  loopdevices: z.array(
    z.object({ name: z.string(), 'back-ino': z.coerce.number(), 'back-maj:min': z.string().nullish() }),
  ),
});

/** Which file an attached device carries, as its file system knows it. */
const fileKey = (dev: number, ino: number): string => {
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  return `${String(major)}:${String(minor)} ${String(ino)}`;
};

/** The loop devices of this machine, by the file they carry: one look for all bricks. */
export async function loopTable(run: HostCommand): Promise<(file: { dev: number; ino: number }) => readonly string[]> {
  const argv = ['losetup', '--json', '--list', '--output', 'NAME,BACK-INO,BACK-MAJ:MIN'];
  const out = await mustRun(run, argv, TIMEOUT_MS, 'the loop devices of this host cannot be listed');
  const byFile = new Map<string, string[]>();
  for (const loop of out.trim() === '' ? [] : Loops.parse(JSON.parse(out)).loopdevices) {
    const device = loop['back-maj:min']?.trim();
    if (device === undefined) continue; // It is being detached, and carries nothing any more.
    const key = `${device} ${String(loop['back-ino'])}`;
    byFile.set(key, [...(byFile.get(key) ?? []), loop.name]);
  }
  return ({ dev, ino }) => byFile.get(fileKey(dev, ino)) ?? [];
}

/** Attaches the file, past the page cache where its file system can; gives the device, the present one if there is one. */
export async function ensureAttached(run: HostCommand, image: string): Promise<string> {
  const [present] = await loopsOf(run, image);
  if (present !== undefined) return present;
  for (let attempt = 1; ; attempt += 1) {
    let result = await run(['losetup', '--find', '--show', '--direct-io=on', image], { timeoutMs: TIMEOUT_MS });
    if (/direct.?io/i.test(result.err)) {
      result = await run(['losetup', '--find', '--show', image], { timeoutMs: TIMEOUT_MS });
    }
    const device = result.out.trim();
    if (result.exit === 0 && device.startsWith('/dev/')) return device;
    const detail = `no loop device for ${image}; is /dev/loop-control there, and may this agent use it?`;
    // Another process may take the free device between find and set-up.
    if (!/busy/i.test(result.err)) throw commandFailed(detail, result);
    if (attempt === ATTACH_TRIES) throw passing(detail, causeOf(result));
    await pause(20 * attempt);
  }
}

/** The file is attached to no loop device any more. */
export async function ensureDetached(run: HostCommand, image: string): Promise<void> {
  for (const device of await loopsOf(run, image)) {
    const result = await run(['losetup', '--detach', device], { timeoutMs: TIMEOUT_MS });
    if (result.exit !== 0 && !result.err.includes('No such device')) {
      throw passing(`${device}, which carries ${image}, cannot be detached yet`, causeOf(result));
    }
  }
}
