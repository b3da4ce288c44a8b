import { join } from 'node:path';
import type { BlockFile, BlockTarget, Outcome } from '@brickyard/contracts';
import { keyedQueue } from '../../concurrency';
import type { BlockTargetDriver, TargetState } from '../block-target.driver';
import type { HostCommand } from '../host-command';
import { until } from '../gluster/converge';
import { DONE, failureOf, outcomeOf, passing, presence, refusal } from '../step-failure';
import { type HostingMounts, hostingMounts } from './hosting-mounts';
import { openTargetRecord, type TargetEntry, type TargetRecord } from './target-record';
import type { ShownTarget } from './tgt-show';
import { type Tgtd, tgtd } from './tgtd';

/** Where the driver keeps what it must know. */
export interface TgtOptions {
  readonly run: HostCommand;
  /** Words before the daemon's command. */
  readonly prefix?: readonly string[];
  /** The agent's own memory: records, mounts and socket lie below it. */
  readonly directory: string;
  /** TCP port of the portal, on every address of this host. */
  readonly port: number;
  /** For tests that have no Gluster. */
  readonly mounts?: HostingMounts;
}

/** The driver, and what its tests need beside. */
export interface TgtBlockTargetDriver extends BlockTargetDriver {
  /** Ends the daemon, which would outlive this process. */
  stopDaemon(): Promise<void>;
}

/** The daemon is one, and what is done to a mount must not cross. */
const EVERYTHING = 'everything';
const BYTES_PER_KIB = 1024;
const BYTES_PER_MB = 1_000_000;
const SIZE_SHOWN_MS = 5_000;
const SIZE_LOOK_MS = 250;

/** Files on FUSE mounts, offered by tgt's `rdwr` store: the one that lets targets come and go without a crash. */
export function tgtBlockTargetDriver(options: TgtOptions): TgtBlockTargetDriver {
  const { run, prefix = [], directory, port } = options;
  const socket = join(directory, 'tgtd', 'socket');
  const daemon = tgtd({ run, prefix, socket, logFile: join(directory, 'tgtd.log'), port });
  const mounts = options.mounts ?? hostingMounts(run, join(directory, 'hosting'));
  const host = new TgtHost(daemon, mounts, openTargetRecord(join(directory, 'targets')));
  const queue = keyedQueue();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => queue.run(EVERYTHING, work);
  const step = (work: () => Promise<Outcome>): Promise<Outcome> => inTurn(() => outcomeOf(work));
  return {
    ensureFile: (file) => step(() => host.makeFile(file)),
    ensureGrown: (file) => step(() => host.growFile(file)),
    ensureNoFile: (file) => step(() => host.removeFile(file)),
    readFile: (file) => step(() => host.findFile(file)),
    ensureExported: (target, secret) => step(() => host.offer(target, secret)),
    ensureNotExported: (target) => step(() => host.withdraw(target)),
    readTarget: (target) => step(() => host.findTarget(target)),
    ensureServing: () => inTurn(() => host.serve()),
    stopDaemon: () => inTurn(() => daemon.stop()),
  };
}

class TgtHost {
  constructor(
    private readonly daemon: Tgtd,
    private readonly mounts: HostingMounts,
    private readonly record: TargetRecord,
  ) {}

  /** Works with a file on its mounted hosting volume, which stays mounted only if this host offers something of it. */
  private async onHosting<T>(file: BlockFile, work: () => Promise<T>): Promise<T> {
    await this.mounts.ensureMounted(file.hosting);
    try {
      return await work();
    } finally {
      await this.unmountUnused(file);
    }
  }

  private async unmountUnused({ hosting }: BlockFile): Promise<void> {
    const isUsed = this.record.all().some(({ target }) => target.hosting.volumeId === hosting.volumeId);
    if (!isUsed) await this.mounts.ensureUnmounted(hosting);
  }

  makeFile(file: BlockFile): Promise<Outcome> {
    return this.onHosting(file, async () => {
      await this.mounts.grow(file);
      return DONE;
    });
  }

  growFile(file: BlockFile): Promise<Outcome> {
    return this.onHosting(file, async () => {
      if ((await this.mounts.sizeOf(file)) === undefined) throw missing(file);
      await this.mounts.grow(file);
      return DONE;
    });
  }

  removeFile(file: BlockFile): Promise<Outcome> {
    return this.onHosting(file, async () => {
      await this.mounts.remove(file);
      return DONE;
    });
  }

  findFile(file: BlockFile): Promise<Outcome> {
    return this.onHosting(file, async () => presence(((await this.mounts.sizeOf(file)) ?? -1) >= file.sizeKib));
  }

  async offer(target: BlockTarget, given: string | undefined): Promise<Outcome> {
    const known = this.record.of(target.blockVolumeId);
    const isSameKey = known?.target.chap?.keyId === target.chap?.keyId;
    const secret = given ?? (isSameKey ? known?.secret : undefined);
    if (target.chap !== undefined && secret === undefined) {
      throw refusal(
        'this block volume asks initiators for a secret, and the allocator did not send it: it has no key, or not the ' +
          'one that the gateway has; set the same BRICKYARD_CHAP_KEYS for both and try again',
      );
    }
    const entry = secret === undefined || target.chap === undefined ? { target } : { target, secret };
    this.record.put(entry);
    try {
      await this.converge(entry);
    } catch (error) {
      if (known === undefined) await this.withdraw(target).catch(() => undefined); // The failure is told; this is tidying.
      throw error;
    }
    return DONE;
  }

  /** The daemon offers the target as it is to be; what it offers already is not touched. */
  private async converge(entry: TargetEntry): Promise<void> {
    const { target } = entry;
    await this.mounts.ensureMounted(target.hosting);
    const sizeKib = await this.mounts.sizeOf(target);
    if (sizeKib === undefined) throw missing(target);
    if (sizeKib < target.sizeKib) {
      throw passing(
        `the file of block volume ${target.blockVolumeId} has ${String(sizeKib)} KiB of ${String(target.sizeKib)}`,
      );
    }
    await this.daemon.ensureRunning();
    const shown = (await this.daemon.targets()) ?? [];
    const found = shown.find(({ iqn }) => iqn === target.iqn);
    const path = this.mounts.placeOf(target);
    if (found !== undefined && isWhole(found, entry, path)) {
      if (!hasSize(found, target, sizeKib))
        await this.showSize(target, sizeKib, () => this.reopen(found.tid, target, path));
      return;
    }
    if (found !== undefined) await this.drop(found.tid);
    await this.create(freeTid(target, shown), entry, path);
  }

  private async create(tid: number, { target, secret }: TargetEntry, path: string): Promise<void> {
    const about = ['--tid', String(tid)];
    const unit = [...about, '--lun', String(target.lun)];
    await this.daemon.tell(['--op', 'new', '--mode', 'target', ...about, '--targetname', target.iqn]);
    try {
      const store = ['--bstype', 'rdwr', '--bsoflags', 'direct', '--backing-store', path];
      await this.daemon.tell(['--op', 'new', '--mode', 'logicalunit', ...unit, ...store]);
      await this.daemon.tell(['--op', 'update', '--mode', 'logicalunit', ...unit, '--params', identityOf(target)]);
      if (target.chap !== undefined && secret !== undefined) await this.account(about, target.chap.username, secret);
      // Nobody may see it before it asks for the secret.
      await this.daemon.tell(['--op', 'bind', '--mode', 'target', ...about, '--initiator-address', 'ALL']);
    } catch (error) {
      await this.drop(tid).catch(() => undefined); // What failed is told; a half-made target must not stay.
      throw error;
    }
  }

  /** An account of an earlier target may have an earlier secret. */
  private async account(about: readonly string[], username: string, secret: string): Promise<void> {
    await this.dropAccount(username);
    const user = ['--user', username];
    const secrets = [secret];
    await this.daemon.tell(['--op', 'new', '--mode', 'account', ...user, '--password', secret], { secrets });
    await this.daemon.tell(['--op', 'bind', '--mode', 'account', ...about, ...user]);
  }

  private dropAccount(username: string): Promise<void> {
    return this.daemon.tell(['--op', 'delete', '--mode', 'account', '--user', username], {
      tolerated: /can't find the account/,
    });
  }

  /** The unit shows the file's size of now; initiators that are at it see it not ready for some milliseconds. */
  private async reopen(tid: number, { lun }: BlockTarget, path: string): Promise<void> {
    const unit = ['--op', 'update', '--mode', 'logicalunit', '--tid', String(tid), '--lun', String(lun), '--params'];
    await this.daemon.tell([...unit, 'online=0']);
    await this.daemon.tell([...unit, `path=${path}`]);
    await this.daemon.tell([...unit, 'online=1']);
  }

  /** What the daemon's own opening of the file tells of its size may be some moments old. */
  private async showSize(target: BlockTarget, sizeKib: number, reopen: () => Promise<void>): Promise<void> {
    const isShown = async (): Promise<boolean> => {
      await reopen();
      const shown = ((await this.daemon.targets()) ?? []).find(({ iqn }) => iqn === target.iqn);
      return shown !== undefined && hasSize(shown, target, sizeKib);
    };
    if (await until(isShown, SIZE_SHOWN_MS, SIZE_LOOK_MS)) return;
    throw passing(`block volume ${target.blockVolumeId} does not show its new size yet`);
  }

  private drop(tid: number): Promise<void> {
    return this.daemon.tell(['--op', 'delete', '--mode', 'target', '--tid', String(tid), '--force'], {
      tolerated: /can't find the target/,
    });
  }

  async withdraw(target: BlockTarget): Promise<Outcome> {
    const shown = await this.daemon.targets();
    const found = shown?.find(({ iqn }) => iqn === target.iqn);
    if (found !== undefined) await this.drop(found.tid);
    if (shown !== undefined && target.chap !== undefined) await this.dropAccount(target.chap.username);
    await this.record.remove(target.blockVolumeId);
    await this.unmountUnused(target);
    return DONE;
  }

  async findTarget(target: BlockTarget): Promise<Outcome> {
    const entry = this.record.of(target.blockVolumeId);
    const shown = (await this.daemon.targets()) ?? [];
    const found = shown.find(({ iqn }) => iqn === target.iqn);
    return presence(entry !== undefined && found !== undefined && isWhole(found, entry, this.mounts.placeOf(target)));
  }

  async serve(): Promise<readonly TargetState[]> {
    const states: TargetState[] = [];
    if (this.record.all().length === 0) return states;
    const shown = (await this.daemon.targets().catch(() => undefined)) ?? [];
    for (const entry of this.record.all()) {
      const { blockVolumeId, iqn } = entry.target;
      const found = shown.find((one) => one.iqn === iqn);
      const isOffered = found !== undefined && isWhole(found, entry, this.mounts.placeOf(entry.target));
      const problem = isOffered ? undefined : await this.problemOf(entry);
      states.push({
        blockVolumeId,
        isOffered: problem === undefined,
        ...(problem === undefined ? {} : { problem }),
      });
    }
    return states;
  }

  private async problemOf(entry: TargetEntry): Promise<string | undefined> {
    try {
      await this.converge(entry);
      return undefined;
    } catch (error) {
      return failureOf(error).detail;
    }
  }
}

const missing = ({ blockVolumeId, hosting }: BlockFile): Error =>
  refusal(`block volume ${blockVolumeId} has no file on hosting volume ${hosting.name}`);

/** Everything but the size is as it is to be. */
function isWhole({ luns, accounts, acl }: ShownTarget, { target }: TargetEntry, path: string): boolean {
  const unit = luns.find(({ lun }) => lun === target.lun);
  const wanted = target.chap === undefined ? [] : [target.chap.username];
  return (
    unit?.path === path &&
    unit.isOnline &&
    acl.includes('ALL') &&
    accounts.length === wanted.length &&
    wanted.every((name) => accounts.includes(name))
  );
}

const hasSize = ({ luns }: ShownTarget, { lun }: BlockTarget, sizeKib: number): boolean => {
  const shown = luns.find((unit) => unit.lun === lun)?.sizeMb ?? 0;
  return Math.abs(shown - (sizeKib * BYTES_PER_KIB) / BYTES_PER_MB) <= 1;
};

/** What initiators know the disk by: the same on every host, so that two paths are seen to lead to one disk. */
const identityOf = ({ blockVolumeId }: BlockTarget): string =>
  `vendor_id=BRICKYRD,product_id=block volume,scsi_id=by-${blockVolumeId},scsi_sn=${blockVolumeId}`;

/** The number follows from the id, since the disk's identity follows from it: the same on every host. */
function freeTid({ blockVolumeId }: BlockTarget, shown: readonly ShownTarget[]): number {
  const taken = new Set(shown.map(({ tid }) => tid));
  let tid = 1 + Number.parseInt(blockVolumeId.slice(0, 7), 16);
  while (taken.has(tid)) tid += 1;
  return tid;
}
