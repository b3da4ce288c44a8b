import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BlockFile, type BlockTarget, kib, VolumeId } from '@brickyard/contracts';
import {
  blockTargetCases,
  type BlockTargetSubject,
  guarded,
  SECRET,
  succeeded,
  target,
} from '../block-target.driver.contract';
import { hostCommand } from '../host-command';
import type { HostingMounts } from './hosting-mounts';
import { tgtBlockTargetDriver } from './tgt.block-target-driver';

const run = promisify(execFile);
const canRun = process.getuid?.() === 0 && existsSync('/usr/sbin/tgtd') && existsSync('/usr/bin/iscsi-ls');
const describeWithTgt = canRun ? describe : describe.skip;

/** A folder in the place of a mounted volume: the daemon does not know the difference. */
function folder(directory: string): HostingMounts {
  const placeOf = ({ hosting, blockVolumeId }: BlockFile): string => join(directory, hosting.volumeId, blockVolumeId);
  return {
    placeOf,
    ensureMounted: async ({ volumeId }) => {
      await mkdir(join(directory, volumeId), { recursive: true });
    },
    ensureUnmounted: () => Promise.resolve(),
    sizeOf: (file) =>
      Promise.resolve(existsSync(placeOf(file)) ? kib(Math.floor(statSync(placeOf(file)).size / 1024)) : undefined),
    async grow(file) {
      const place = placeOf(file);
      if (!existsSync(place)) await writeFile(place, '');
      if (statSync(place).size < file.sizeKib * 1024) await truncate(place, file.sizeKib * 1024);
    },
    remove: (file) => rm(placeOf(file), { force: true }),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface TgtSubject extends BlockTargetSubject {
  readonly directory: string;
  /** What an initiator is told that signs in so. */
  inquiry(target: BlockTarget, login: string): Promise<string>;
}

async function subject(): Promise<TgtSubject> {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-tgt-'));
  const port = await freePort();
  const open = () =>
    tgtBlockTargetDriver({ run: hostCommand(), directory, port, mounts: folder(join(directory, 'volumes')) });
  const driver = open();
  const portal = `127.0.0.1:${String(port)}`;
  return {
    driver,
    directory,
    hosting: { volumeId: VolumeId.parse('f'.repeat(32)), name: 'host' },
    restarted: () => Promise.resolve(open()),
    async kill() {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        if (!isDaemonOf(pid, directory)) continue;
        process.kill(Number(pid), 'SIGKILL');
        while (existsSync(`/proc/${pid}`) && isDaemonOf(pid, directory)) await new Promise(setImmediate);
      }
    },
    async sizeSeen({ iqn, lun }) {
      const { stdout } = await run('iscsi-readcapacity16', ['-s', `iscsi://${portal}/${iqn}/${String(lun)}`]);
      return Number(stdout.trim()) / 1024;
    },
    async inquiry({ iqn, lun }, login) {
      const { stdout } = await run('iscsi-inq', [`iscsi://${login}${portal}/${iqn}/${String(lun)}`]);
      return stdout;
    },
    async close() {
      await driver.stopDaemon();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Whether a process is the daemon whose socket lies in the directory; one that has just ended is not. */
function isDaemonOf(pid: string, directory: string): boolean {
  try {
    const isTgtd = readFileSync(`/proc/${pid}/comm`, 'utf8') === 'tgtd\n';
    return isTgtd && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TGT_IPC_SOCKET=${directory}/`);
  } catch {
    return false;
  }
}

async function on(work: (made: TgtSubject) => Promise<void>): Promise<void> {
  const made = await subject();
  try {
    await work(made);
  } finally {
    await made.close();
  }
}

describeWithTgt('tgt driver of block targets', () => {
  it.each(blockTargetCases)('$name', ({ run: runCase }) => on(runCase));

  it('lets in who knows the secret, nobody else, and gives the disk one identity', () =>
    on(async (made) => {
      const disk = guarded(made);
      succeeded(await made.driver.ensureFile(disk));
      succeeded(await made.driver.ensureExported(disk, SECRET));
      expect(await made.inquiry(disk, `${disk.blockVolumeId}%${SECRET}@`)).toMatch(/Vendor:\s*BRICKYRD/);
      for (const login of ['', `${disk.blockVolumeId}%wrong-password@`]) {
        await expect(made.inquiry(disk, login)).rejects.toThrow(/Authentication|Login Failed|login/i);
      }
      succeeded(await made.driver.ensureExported(disk, 'another-secret'));
      succeeded(await made.driver.ensureNotExported(disk));
      succeeded(await made.driver.ensureExported(disk, 'another-secret'));
      expect(await made.inquiry(disk, `${disk.blockVolumeId}%another-secret@`)).toMatch(/BRICKYRD/);
    }));

  it('keeps the secret to root, and out of what it tells', () =>
    on(async (made) => {
      const disk = guarded(made);
      succeeded(await made.driver.ensureFile(disk));
      succeeded(await made.driver.ensureExported(disk, SECRET));
      const record = join(made.directory, 'targets', `${disk.blockVolumeId}.json`);
      expect(statSync(record).mode & 0o777).toBe(0o600);
      expect(readFileSync(record, 'utf8')).toContain(SECRET);
      expect(readFileSync(join(made.directory, 'tgtd.log'), 'utf8')).not.toContain(SECRET);
      // A secret that the daemon refuses is not told by the failure, either.
      const bad = 'x'.repeat(600);
      const outcome = await made.driver.ensureExported(guarded(made, '1', 'c'.repeat(16)), bad);
      if (!outcome.ok) expect(JSON.stringify(outcome)).not.toContain(bad);
    }));

  it('is started once, also by two agents that overlap', () =>
    on(async (made) => {
      const open = target(made);
      succeeded(await made.driver.ensureFile(open));
      succeeded(await made.driver.ensureExported(open, undefined));
      const [one, other] = await Promise.all([
        made.driver.ensureExported(open, undefined),
        (await made.restarted()).ensureExported(open, undefined),
      ]);
      succeeded(one);
      succeeded(other);
    }));
});
