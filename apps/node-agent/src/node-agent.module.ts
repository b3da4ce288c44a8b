import { join } from 'node:path';
import {
  type DynamicModule,
  type INestApplicationContext,
  Inject,
  Module,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Bus, ConfigError, type Logger } from '@brickyard/service-host';
import { type AgentFiles, openFiles } from './agent.files';
import type { AgentMetrics } from './agent-metrics';
import type { AgentConfig } from './config';
import type { BrickDriver } from './drivers/brick.driver';
import { tgtBlockTargetDriver } from './drivers/block/tgt.block-target-driver';
import type { BlockTargetDriver } from './drivers/block-target.driver';
import { convergingVolumeDriver } from './drivers/gluster/converging.volume-driver';
import { glusterCli } from './drivers/gluster/gluster-cli';
import { watchHandshakes } from './drivers/gluster/handshake-watch';
import { watchSilence } from './drivers/gluster/silence-watch';
import { type GlusterdSupervisor, superviseGlusterd } from './drivers/glusterd.supervisor';
import { groundsOf } from './drivers/grounds';
import { hostCommand } from './drivers/host-command';
import { loopXfsBrickDriver } from './drivers/loop-xfs/loop-xfs.brick-driver';
import { lvmThinBrickDriver } from './drivers/lvm/lvm-thin.brick-driver';
import { directoryBrickDriver } from './drivers/simulated/directory.brick-driver';
import type { RecordedBlocks } from './drivers/simulated/recorded.blocks';
import type { RecordedGlusters } from './drivers/simulated/recorded.gluster';
import type { VolumeDriver } from './drivers/volume.driver';
import type { Drivers } from './execute';
import { hostAgent } from './host.agent';
import { hostSignature, type SignatureOptions } from './host-signature';
import { simulatedAgent } from './simulated.agent';
import { AGENT, DRIVERS, FILES, GLUSTERD } from './tokens';

/** What the process brings along. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly bus: Bus;
  readonly log: Logger;
  readonly metrics?: AgentMetrics;
}

interface OpenParts extends AgentParts {
  readonly files: AgentFiles;
}

/** Binds the agent's ports to the drivers that its settings name. */
@Module({})
export class NodeAgentModule implements OnModuleDestroy {
  constructor(@Inject(FILES) private readonly files: AgentFiles) {}

  /** The agent, made and not started; what it has opened is closed with the application, or at once when it is refused. */
  static async open(parts: AgentParts): Promise<INestApplicationContext> {
    const files = await openFiles(parts.config, parts.log);
    try {
      const module = NodeAgentModule.around({ ...parts, files });
      return await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    } catch (error) {
      await files.close();
      throw error;
    }
  }

  private static around(parts: OpenParts): DynamicModule {
    const isSimulated = parts.config.BRICKYARD_AGENT_SIMULATED === '1';
    const own = isSimulated ? [simulated(parts)] : [glusterd(parts), drivers(parts), real(parts)];
    return { module: NodeAgentModule, providers: [{ provide: FILES, useValue: parts.files }, ...own] };
  }

  onModuleDestroy(): Promise<void> {
    return this.files.close();
  }
}

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

const drivers = ({ config, files: { glusters, blocks } }: OpenParts): Provider => ({
  provide: DRIVERS,
  inject: [GLUSTERD],
  useFactory: (supervisor: GlusterdSupervisor): Drivers => ({
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
    onSign: watchSilence((silentMs) =>
      supervisor.restart(`it has not answered for ${String(Math.round(silentMs / 1_000))} s`),
    ),
  });
  return convergingVolumeDriver(gluster, { mountRoot: config.BRICKYARD_MOUNT_ROOT });
}

function hostOf({ BRICKYARD_AGENT_HOST: host }: AgentConfig): NonNullable<AgentConfig['BRICKYARD_AGENT_HOST']> {
  if (host === undefined) throw new ConfigError(['BRICKYARD_AGENT_HOST: is not set']);
  return host;
}

const real = ({ config, bus, log, metrics, files: { ledger, faults } }: OpenParts): Provider => ({
  provide: AGENT,
  inject: [DRIVERS, GLUSTERD],
  useFactory: (bound: Drivers, supervisor: GlusterdSupervisor) =>
    hostAgent({
      bus,
      metrics,
      log,
      host: hostOf(config),
      drivers: bound,
      ledger,
      faults,
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

const simulated = ({
  config,
  bus,
  log,
  metrics,
  files: { ledger, faults, glusters, blocks },
}: OpenParts): Provider => ({
  provide: AGENT,
  useFactory: () => {
    if (glusters === undefined || blocks === undefined) throw new TypeError('simulated hosts are made of files');
    return simulatedAgent({
      bus,
      metrics,
      log,
      directory: config.BRICKYARD_AGENT_DIR,
      mountRoot: config.BRICKYARD_MOUNT_ROOT,
      deviceSizeKib: config.BRICKYARD_DEVICE_SIZE_KIB,
      ledger,
      glusters,
      blocks,
      faults,
      tasksAtOnce: config.BRICKYARD_TASKS_AT_ONCE,
    });
  },
});
