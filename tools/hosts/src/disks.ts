/** Disks of this machine as the devices of one host: its LVM sees them and no others, and power loss makes it forget them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runCommand, until } from './command';

const LVM_TIMEOUT_MS = 60_000;
const LET_GO_MS = 30_000;

/** What LVM is told about the disks that it may look at. */
export function lvmFilter(disks: readonly string[]): string {
  const rules = [...disks.map((disk) => `"a|^${disk}$|"`), '"r|.*|"'];
  return `devices { global_filter = [ ${rules.join(', ')} ] }`;
}

/** Gives the holder's mount namespace an /etc/lvm of its own. */
export async function keepOwnDisks(holder: number, directory: string, disks: readonly string[]): Promise<void> {
  const settings = join(directory, 'lvm');
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, 'lvm.conf'), `${lvmFilter(disks)}\n`);
  await mustRun(['nsenter', `--mount=/proc/${String(holder)}/ns/mnt`, '--', 'mount', '--bind', settings, '/etc/lvm']);
}

/** Takes the volumes on these disks out of the kernel, as the end of a machine does; who used them must be gone. */
export async function letGoOfDisks(disks: readonly string[]): Promise<void> {
  const argv = ['vgchange', '-qq', '--activate', 'n', '--config', lvmFilter(disks)];
  // Mounts of a namespace that has ended go a moment after its last process.
  const isDone = async (): Promise<boolean> => (await runCommand(argv, { timeoutMs: LVM_TIMEOUT_MS })).exitCode === 0;
  if (!(await until(isDone, LET_GO_MS, 100))) throw new Error(`volumes on ${disks.join(', ')} are still in use`);
}
