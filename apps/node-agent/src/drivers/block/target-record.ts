/** What this host is to offer, remembered over restarts: one file a target, readable for root only since it holds the secret. */
import { join } from 'node:path';
import { BlockTarget, type BlockVolumeId } from '@brickyard/contracts';
import { z } from 'zod';
import type { Disk } from '../../disk';
import { replaceFile } from '../../journal';
import { nodeDisk } from '../../node.disk';
import { unless } from '../step-failure';

const Entry = z.strictObject({ target: BlockTarget, secret: z.string().optional() });

/** One target and what it needs beside. */
export type TargetEntry = z.infer<typeof Entry>;

/** The targets of one host. */
export interface TargetRecord {
  all(): readonly TargetEntry[];
  of(blockVolumeId: BlockVolumeId): TargetEntry | undefined;
  /** It is on disk when this returns. */
  put(entry: TargetEntry): void;
  remove(blockVolumeId: BlockVolumeId): Promise<void>;
}

const MODE = 0o600;
const SUFFIX = '.json';

/** Reads what was remembered; a file that makes no sense stops the agent with its name. */
export function openTargetRecord(directory: string, disk: Disk = nodeDisk): TargetRecord {
  const entries = new Map<BlockVolumeId, TargetEntry>();
  const fileOf = (blockVolumeId: BlockVolumeId): string => join(directory, `${blockVolumeId}${SUFFIX}`);
  const names = disk.exists(directory) ? disk.list(directory).filter((name) => name.endsWith(SUFFIX)) : [];
  for (const name of names) {
    const entry = Entry.parse(JSON.parse(disk.read(join(directory, name))));
    entries.set(entry.target.blockVolumeId, entry);
  }
  return {
    all: () => [...entries.values()],
    of: (blockVolumeId) => entries.get(blockVolumeId),
    put(entry) {
      disk.makeDirectories(directory);
      replaceFile(fileOf(entry.target.blockVolumeId), `${JSON.stringify(entry)}\n`, MODE, disk);
      entries.set(entry.target.blockVolumeId, entry);
    },
    async remove(blockVolumeId) {
      entries.delete(blockVolumeId);
      await disk.removeFile(fileOf(blockVolumeId)).catch(unless('ENOENT'));
    },
  };
}
