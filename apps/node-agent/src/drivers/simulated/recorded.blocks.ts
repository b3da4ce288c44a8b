/** Block volumes of simulated hosts: files that all hosts of a pool see, targets that each has, kept in a file. Nothing is stored. */
import { type BlockFile, BlockTarget, type GlusterVolumeRef, type Outcome } from '@brickyard/contracts';
import { z } from 'zod';
import type { Disk } from '../../disk';
import { type Journal, openJournal } from '../../journal';
import type { BlockTargetDriver, TargetState } from '../block-target.driver';
import { DONE, outcomeOf, passing, presence, refusal } from '../step-failure';

const Line = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('file'), volumeId: z.string(), id: z.string(), sizeKib: z.int().nullable() }),
  z.strictObject({ is: z.literal('target'), host: z.string(), id: z.string(), target: BlockTarget.nullable() }),
]);
type Line = z.infer<typeof Line>;

const COMPACT_AFTER_LINES = 10_000;

/** How they are kept. */
export interface RecordedBlocksOptions {
  readonly file: string;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
  /** Whether a host's Gluster serves the volume now; rejects when it does not answer. */
  readonly isServed: (host: string, hosting: GlusterVolumeRef) => Promise<boolean>;
}

/** All simulated block volumes of one process. */
export interface RecordedBlocks {
  on(host: string): BlockTargetDriver;
  close(): Promise<void>;
}

/** Opens them as they were left. */
export async function openRecordedBlocks({ file, disk, isServed }: RecordedBlocksOptions): Promise<RecordedBlocks> {
  const state = new RecordedBlockState();
  const options = { sync: false, ...(disk === undefined ? {} : { disk }) };
  const journal = await openJournal(file, options, (line) => {
    state.replay(line);
  });
  return {
    on: (host) => driverOf(new RecordedBlockHost(host, state, journal, isServed)),
    close: () => journal.close(),
  };
}

const driverOf = (host: RecordedBlockHost): BlockTargetDriver => ({
  ensureFile: (wanted) => outcomeOf(() => host.grow(wanted)),
  ensureGrown: (wanted) => outcomeOf(() => host.grow(wanted, true)),
  ensureNoFile: (wanted) => outcomeOf(() => host.removeFile(wanted)),
  readFile: (wanted) => outcomeOf(() => host.findFile(wanted)),
  ensureExported: (target, secret) => outcomeOf(() => host.offer(target, secret)),
  ensureNotExported: (target) => outcomeOf(() => host.withdraw(target)),
  readTarget: (target) => outcomeOf(() => Promise.resolve(host.findTarget(target))),
  ensureServing: () => Promise.resolve(host.states()),
});

const keyOf = (owner: string, id: string): string => `${owner}/${id}`;

/** Everything that simulated hosts know of block volumes. */
export class RecordedBlockState {
  readonly files = new Map<string, number>();
  readonly targets = new Map<string, BlockTarget>();

  /** Takes over one line of the journal. */
  replay(line: unknown): void {
    this.apply(Line.parse(line));
  }

  apply(line: Line): void {
    if (line.is === 'file') put(this.files, keyOf(line.volumeId, line.id), line.sizeKib);
    else put(this.targets, keyOf(line.host, line.id), line.target);
  }

  sizeOf({ hosting, blockVolumeId }: BlockFile): number | undefined {
    return this.files.get(keyOf(hosting.volumeId, blockVolumeId));
  }

  targetsOf(host: string): readonly BlockTarget[] {
    return [...this.targets].flatMap(([key, target]) => (key.startsWith(`${host}/`) ? [target] : []));
  }

  snapshot(): readonly Line[] {
    const part = (key: string, index: number): string => key.split('/')[index] ?? '';
    return [
      ...[...this.files].map(
        ([key, sizeKib]) => ({ is: 'file', volumeId: part(key, 0), id: part(key, 1), sizeKib }) as const,
      ),
      ...[...this.targets].map(
        ([key, target]) => ({ is: 'target', host: part(key, 0), id: part(key, 1), target }) as const,
      ),
    ];
  }
}

class RecordedBlockHost {
  constructor(
    private readonly host: string,
    private readonly state: RecordedBlockState,
    private readonly journal: Journal,
    private readonly isServed: RecordedBlocksOptions['isServed'],
  ) {}

  private async write(line: Line): Promise<void> {
    this.state.apply(line);
    await this.journal.append(line);
    const size = this.state.files.size + this.state.targets.size;
    if (this.journal.length > COMPACT_AFTER_LINES && this.journal.length > 4 * size) {
      await this.journal.rewrite(() => this.state.snapshot());
    }
  }

  private async checkServed({ hosting }: BlockFile): Promise<void> {
    if (await this.isServed(this.host, hosting)) return;
    throw passing(`hosting volume ${hosting.name} cannot be mounted on this host; is it started?`);
  }

  async grow(file: BlockFile, mustExist = false): Promise<Outcome> {
    await this.checkServed(file);
    const before = this.state.sizeOf(file);
    if (before === undefined && mustExist) throw missing(file);
    if ((before ?? -1) >= file.sizeKib) return DONE;
    const { blockVolumeId: id, sizeKib } = file;
    await this.write({ is: 'file', volumeId: file.hosting.volumeId, id, sizeKib });
    return DONE;
  }

  async removeFile(file: BlockFile): Promise<Outcome> {
    await this.checkServed(file);
    if (this.state.sizeOf(file) === undefined) return DONE;
    await this.write({ is: 'file', volumeId: file.hosting.volumeId, id: file.blockVolumeId, sizeKib: null });
    return DONE;
  }

  async findFile(file: BlockFile): Promise<Outcome> {
    await this.checkServed(file);
    return presence((this.state.sizeOf(file) ?? -1) >= file.sizeKib);
  }

  async offer(target: BlockTarget, secret: string | undefined): Promise<Outcome> {
    const { blockVolumeId: id, chap } = target;
    const known = this.state.targets.get(keyOf(this.host, id));
    const isKnown = known?.chap?.keyId === chap?.keyId && known !== undefined;
    if (chap !== undefined && secret === undefined && !isKnown) {
      throw refusal('this block volume asks initiators for a secret, and the allocator did not send it');
    }
    await this.checkServed(target);
    const sizeKib = this.state.sizeOf(target);
    if (sizeKib === undefined) throw missing(target);
    if (sizeKib < target.sizeKib) throw passing(`the file of block volume ${id} is not so large yet`);
    await this.write({ is: 'target', host: this.host, id, target });
    return DONE;
  }

  async withdraw({ blockVolumeId: id }: BlockTarget): Promise<Outcome> {
    if (!this.state.targets.has(keyOf(this.host, id))) return DONE;
    await this.write({ is: 'target', host: this.host, id, target: null });
    return DONE;
  }

  findTarget({ blockVolumeId }: BlockTarget): Outcome {
    return presence(this.state.targets.has(keyOf(this.host, blockVolumeId)));
  }

  states(): readonly TargetState[] {
    return this.state.targetsOf(this.host).map(({ blockVolumeId }) => ({ blockVolumeId, isOffered: true }));
  }
}

const missing = ({ blockVolumeId, hosting }: BlockFile): Error =>
  refusal(`block volume ${blockVolumeId} has no file on hosting volume ${hosting.name}`);

function put<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}
