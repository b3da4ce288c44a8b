/** The files an agent holds open for as long as it lives: the trouble planned for it, and what it must find again after a crash. */
import { join } from 'node:path';
import type { Logger } from '@brickyard/service-host';
import type { AgentConfig } from './config';
import { openRecordedBlocks, type RecordedBlocks } from './drivers/simulated/recorded.blocks';
import { openRecordedGlusters, type RecordedGlusters } from './drivers/simulated/recorded.gluster';
import { type FaultPlan, NO_FAULTS, watchFaults } from './faults';
import { openLedger, type TaskLedger } from './ledger';

/** What the settings want of them, opened. */
export interface AgentFiles {
  readonly faults: FaultPlan;
  readonly ledger: TaskLedger;
  /** Absent where Gluster is real. */
  readonly glusters: RecordedGlusters | undefined;
  /** Absent where block volumes are real. */
  readonly blocks: RecordedBlocks | undefined;
  /** After the agent has stopped: resolves when what was written is on disk. */
  close(): Promise<void>;
}

/** Opens all of them or, when one makes no sense, none. */
export async function openFiles(config: AgentConfig, log: Logger): Promise<AgentFiles> {
  const closings: (() => unknown)[] = [];
  const opened = <T extends { close(): unknown }>(one: T): T => {
    closings.unshift(() => one.close());
    return one;
  };
  const close = async (): Promise<void> => {
    for (const closing of closings) await closing();
  };
  const inDirectory = (name: string): string => join(config.BRICKYARD_AGENT_DIR, name);
  try {
    const faults = opened(faultsOf(config, log));
    const sync = config.BRICKYARD_AGENT_SIMULATED === '0';
    const ledger = opened(await openLedger({ file: inDirectory('tasks.journal'), sync }));
    const glusters = isGlusterRecorded(config)
      ? opened(
          await openRecordedGlusters({ file: inDirectory('gluster.journal'), isDown: (host) => faults.isSilent(host) }),
        )
      : undefined;
    const isServed = servedBy(glusters);
    const blocks = areBlocksRecorded(config)
      ? opened(await openRecordedBlocks({ file: inDirectory('blocks.journal'), isServed }))
      : undefined;
    return { faults, ledger, glusters, blocks, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const faultsOf = ({ BRICKYARD_FAULTS: file }: AgentConfig, log: Logger): FaultPlan =>
  file === undefined ? NO_FAULTS : watchFaults(file, log);

const isGlusterRecorded = (config: AgentConfig): boolean =>
  config.BRICKYARD_AGENT_SIMULATED === '1' || config.BRICKYARD_VOLUME_DRIVER === 'recorded';

const areBlocksRecorded = (config: AgentConfig): boolean =>
  isGlusterRecorded(config) || config.BRICKYARD_BLOCK_DRIVER === 'recorded';

/** A real Gluster is not asked: nothing is stored in recorded blocks. */
const servedBy =
  (glusters: RecordedGlusters | undefined): Parameters<typeof openRecordedBlocks>[0]['isServed'] =>
  async (host, { name }) =>
    glusters === undefined || (await glusters.on(host).volume(name))?.status === 'started';
