import { join } from 'node:path';
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { type Bus, ConfigError, type Logger } from '@brickyard/service-host';
import type { AgentMetrics } from './agent-metrics';
import type { AgentConfig } from './config';
import type { BrickDriver } from './drivers/brick.driver';
import { tgtBlockTargetDriver } from './drivers/block/tgt.block-target-driver';
import type { BlockTargetDriver } from './drivers/block-target.driver';
import { convergingVolumeDriver } from './drivers/gluster/converging.volume-driver';
import { glusterCli } from './drivers/gluster/gluster-cli';
import { watchHandshakes } from './drivers/gluster/handshake-watch';
import { type GlusterdSupervisor, superviseGlusterd } from './drivers/glusterd.supervisor';
import { groundsOf } from './drivers/grounds';
import { hostCommand } from './drivers/host-command';
import { loopXfsBrickDriver } from './drivers/loop-xfs/loop-xfs.brick-driver';
import { lvmThinBrickDriver } from './drivers/lvm/lvm-thin.brick-driver';
import { directoryBrickDriver } from './drivers/simulated/directory.brick-driver';
import { openRecordedBlocks, type RecordedBlocks } from './drivers/simulated/recorded.blocks';
import { openRecordedGlusters, type RecordedGlusters } from './drivers/simulated/recorded.gluster';
import type { VolumeDriver } from './drivers/volume.driver';
import type { Drivers } from './execute';
import { type FaultPlan, NO_FAULTS, watchFaults } from './faults';
import { hostAgent } from './host.agent';
import { hostSignature, type SignatureOptions } from './host-signature';
import { openLedger, type TaskLedger } from './ledger';
import { simulatedAgent } from './simulated.agent';
import { AGENT, DRIVERS, FAULTS, GLUSTERD, LEDGER, RECORDED, RECORDED_BLOCKS } from './tokens';

/** What the process brings along. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly bus: Bus;
  readonly log: Logger;
  readonly metrics?: AgentMetrics;
}

/** Binds the agent's ports to the drivers that its settings name. */
@Module({})
export class NodeAgentModule {
  static of(parts: AgentParts): DynamicModule {
    const isSimulated = parts.config.BRICKYARD_AGENT_SIMULATED === '1';
    const own = isSimulated ? [simulated(parts)] : [glusterd(parts), drivers(parts), real(parts)];
    return {
      module: NodeAgentModule,
      providers: [faults(parts), ledger(parts), recorded(parts), recordedBlocks(parts), ...own],
    };
  }
}

const faults = ({ config, log }: AgentParts): Provider => ({
  provide: FAULTS,
  useFactory: (): FaultPlan =>
    config.BRICKYARD_FAULTS === undefined ? NO_FAULTS : watchFaults(config.BRICKYARD_FAULTS, log),
});

const ledger = ({ config }: AgentParts): Provider => ({
  provide: LEDGER,
  useFactory: (): Promise<TaskLedger> =>
    openLedger({
      file: join(config.BRICKYARD_AGENT_DIR, 'tasks.journal'),
      sync: config.BRICKYARD_AGENT_SIMULATED === '0',
    }),
});

const recorded = ({ config }: AgentParts): Provider => ({
  provide: RECORDED,
  inject: [FAULTS],
  useFactory: (plan: FaultPlan): Promise<RecordedGlusters | undefined> => {
    const isUsed = config.BRICKYARD_AGENT_SIMULATED === '1' || config.BRICKYARD_VOLUME_DRIVER === 'recorded';
    if (!isUsed) return Promise.resolve(undefined);
    const file = join(config.BRICKYARD_AGENT_DIR, 'gluster.journal');
    return openRecordedGlusters({ file, isDown: (host) => plan.isSilent(host) });
  },
});

const recordedBlocks = ({ config }: AgentParts): Provider => ({
  provide: RECORDED_BLOCKS,
  inject: [RECORDED],
  useFactory: (glusters: RecordedGlusters | undefined): Promise<RecordedBlocks | undefined> => {
    const isUsed = glusters !== undefined || config.BRICKYARD_BLOCK_DRIVER === 'recorded';
    if (!isUsed) return Promise.resolve(undefined);
    return openRecordedBlocks({
      file: join(config.BRICKYARD_AGENT_DIR, 'blocks.journal'),
      isServed: async (host, { name }) =>
        glusters === undefined || (await glusters.on(host).volume(name))?.status === 'started',
    });
  },
});

const glusterd = ({ config, log }: AgentParts): Provider => ({
  provide: GLUSTERD,
  useFactory: (): GlusterdSupervisor =>
    superviseGlusterd({
      mode: config.BRICKYARD_VOLUME_DRIVER === 'recorded' ? 'leave' : config.BRICKYARD_GLUSTERD,
      socket: config.BRICKYARD_GLUSTERD_SOCKET,
      stateDirectory: config.BRICKYARD_GLUSTERD_DIR,
      pidFile: config.BRICKYARD_GLUSTERD_PID_FILE,
      run: hostCommand(config.BRICKYARD_HOST_COMMAND),
      log,
    }),
});

const drivers = ({ config }: AgentParts): Provider => ({
  provide: DRIVERS,
  inject: [RECORDED, RECORDED_BLOCKS, GLUSTERD],
  useFactory: (
    glusters: RecordedGlusters | undefined,
    blocks: RecordedBlocks | undefined,
    supervisor: GlusterdSupervisor,
  ): Drivers => ({
    bricks: brickDriver(config),
    volumes: glusters === undefined ? realVolumeDriver(config, supervisor) : recordedVolumeDriver(config, glusters),
    blocks: blockDriver(config, blocks),
    ...(glusters === undefined
      ? { grounds: (paths) => groundsOf(hostCommand(config.BRICKYARD_HOST_COMMAND), paths) }
      : {}),
  }),
});

function blockDriver(config: AgentConfig, blocks: RecordedBlocks | undefined): BlockTargetDriver {
  if (blocks !== undefined) return blocks.on(hostOf(config));
  const prefix = config.BRICKYARD_HOST_COMMAND;
  const { BRICKYARD_AGENT_DIR: directory, BRICKYARD_ISCSI_PORT: port } = config;
  return tgtBlockTargetDriver({ run: hostCommand(prefix), prefix, directory, port });
}

function brickDriver(config: AgentConfig): BrickDriver {
  const mountRoot = config.BRICKYARD_MOUNT_ROOT;
  const directory = join(config.BRICKYARD_AGENT_DIR, config.BRICKYARD_BRICK_DRIVER);
  const run = hostCommand(config.BRICKYARD_HOST_COMMAND);
  switch (config.BRICKYARD_BRICK_DRIVER) {
    case 'lvm-thin':
      return lvmThinBrickDriver({ run, mountRoot, fstab: config.BRICKYARD_FSTAB });
    case 'loop-xfs':
      return loopXfsBrickDriver({ run, mountRoot, directory });
    case 'directory':
      return directoryBrickDriver({
        directory,
        mountRoot,
        deviceSizeKib: config.BRICKYARD_DEVICE_SIZE_KIB,
        clones: config.BRICKYARD_VOLUME_DRIVER === 'recorded',
      });
  }
}

const recordedVolumeDriver = (config: AgentConfig, glusters: RecordedGlusters): VolumeDriver =>
  convergingVolumeDriver(glusters.on(hostOf(config)), { mountRoot: config.BRICKYARD_MOUNT_ROOT });

function realVolumeDriver(config: AgentConfig, supervisor: GlusterdSupervisor): VolumeDriver {
  const handshakes = watchHandshakes({
    look: () => gluster.members(),
    restart: (hanging) => supervisor.restart(`its handshake with ${hanging.join(', ')} does not end`),
  });
  const gluster = glusterCli({
    run: hostCommand(config.BRICKYARD_HOST_COMMAND),
    socket: config.BRICKYARD_GLUSTERD_SOCKET,
    stateDirectory: config.BRICKYARD_AGENT_DIR,
    onMembers: (members) => {
      handshakes.see(members);
    },
  });
  return convergingVolumeDriver(gluster, { mountRoot: config.BRICKYARD_MOUNT_ROOT });
}

function hostOf({ BRICKYARD_AGENT_HOST: host }: AgentConfig): NonNullable<AgentConfig['BRICKYARD_AGENT_HOST']> {
  if (host === undefined) throw new ConfigError(['BRICKYARD_AGENT_HOST: is not set']);
  return host;
}

const real = ({ config, bus, log, metrics }: AgentParts): Provider => ({
  provide: AGENT,
  inject: [DRIVERS, LEDGER, FAULTS, GLUSTERD],
  useFactory: (bound: Drivers, tasks: TaskLedger, plan: FaultPlan, supervisor: GlusterdSupervisor) =>
    hostAgent({
      bus,
      metrics,
      log,
      host: hostOf(config),
      drivers: bound,
      ledger: tasks,
      faults: plan,
      simulated: config.BRICKYARD_BRICK_DRIVER === 'directory' || config.BRICKYARD_VOLUME_DRIVER === 'recorded',
      tasksAtOnce: config.BRICKYARD_TASKS_AT_ONCE,
      signature: () => hostSignature(signatureOptions(config)),
      glusterd: supervisor,
    }),
});

/** Where Debian's glusterd keeps a file for each brick. */
const BRICK_PIDS = '/run/gluster/vols';

const signatureOptions = (config: AgentConfig): SignatureOptions => ({
  ...(config.BRICKYARD_VOLUME_DRIVER === 'recorded' ? {} : { glusterdDirectory: config.BRICKYARD_GLUSTERD_DIR }),
  ...(config.BRICKYARD_HOST_COMMAND.length === 0
    ? { brickPids: BRICK_PIDS }
    : { elsewhere: hostCommand(config.BRICKYARD_HOST_COMMAND) }),
});

const simulated = ({ config, bus, log, metrics }: AgentParts): Provider => ({
  provide: AGENT,
  inject: [LEDGER, FAULTS, RECORDED, RECORDED_BLOCKS],
  useFactory: (tasks: TaskLedger, plan: FaultPlan, glusters: RecordedGlusters, blocks: RecordedBlocks) =>
    simulatedAgent({
      bus,
      metrics,
      log,
      directory: config.BRICKYARD_AGENT_DIR,
      mountRoot: config.BRICKYARD_MOUNT_ROOT,
      deviceSizeKib: config.BRICKYARD_DEVICE_SIZE_KIB,
      ledger: tasks,
      glusters,
      blocks,
      faults: plan,
      tasksAtOnce: config.BRICKYARD_TASKS_AT_ONCE,
    }),
});
