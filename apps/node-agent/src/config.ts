/** What the agent is told by its environment. */
import { posix } from 'node:path';
import { z } from 'zod';
import { HostName } from '@brickyard/contracts';
import { busVariables } from '@brickyard/service-host';
import { MOUNT_ROOT } from './brick-path';
import { DEVICE_SIZE_KIB } from './drivers/simulated/directory.brick-driver';

const absolute = z
  .string()
  .refine((path) => posix.isAbsolute(path) && posix.normalize(path) === path && !path.endsWith('/'), {
    message: 'must be an absolute path without "..", "//" or a slash at its end',
  });

/** Settings of one agent process. */
export const AgentConfig = z
  .object({
    ...busVariables,
    BRICKYARD_AGENT_HOST: HostName.optional().describe("the node's first management host name"),
    BRICKYARD_AGENT_DIR: absolute.default('/var/lib/brickyard').describe("the agent's own memory"),
    BRICKYARD_AGENT_SIMULATED: z.enum(['0', '1']).default('0').describe('1 plays every host in one process'),
    BRICKYARD_BRICK_DRIVER: z.enum(['lvm-thin', 'loop-xfs', 'directory']).default('lvm-thin'),
    BRICKYARD_VOLUME_DRIVER: z.enum(['gluster-cli', 'recorded']).default('gluster-cli'),
    BRICKYARD_BLOCK_DRIVER: z
      .enum(['tgt', 'recorded'])
      .default('tgt')
      .describe('what offers block volumes; hosts whose Gluster is recorded have none that is real'),
    BRICKYARD_ISCSI_PORT: z.coerce.number().int().min(1).max(65_535).default(3260),
    BRICKYARD_MOUNT_ROOT: absolute.default(MOUNT_ROOT).describe('bricks live below it, nothing else is touched'),
    BRICKYARD_FSTAB: absolute.default('/etc/fstab').describe('where lvm-thin notes its mounts'),
    BRICKYARD_HOST_COMMAND: z
      .string()
      .default('')
      .transform((words) => words.split(' ').filter((word) => word !== ''))
      .describe('words before every command, such as: nsenter --target 1 --mount --'),
    BRICKYARD_GLUSTERD: z
      .enum(['leave', 'repair', 'start'])
      .default('repair')
      .describe('what to do about a glusterd that is down or hangs: nothing, repair it, or also start it'),
    BRICKYARD_GLUSTERD_DIR: absolute.default('/var/lib/glusterd'),
    BRICKYARD_GLUSTERD_PID_FILE: absolute.default('/run/glusterd.pid').describe('where glusterd notes its process'),
    BRICKYARD_GLUSTERD_SOCKET: absolute.default('/run/glusterd.socket'),
    BRICKYARD_TASKS_AT_ONCE: z.coerce.number().int().min(1).max(1024).optional(),
    BRICKYARD_DEVICE_SIZE_KIB: z.coerce
      .number()
      .int()
      .min(1024 * 1024)
      .default(DEVICE_SIZE_KIB)
      .describe('size of each simulated device'),
    BRICKYARD_FAULTS: absolute.optional().describe('a JSON file of planned faults'),
    BRICKYARD_HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
    BRICKYARD_HEALTH_HOST: z.string().optional(),
    BRICKYARD_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  })
  .refine((config) => config.BRICKYARD_AGENT_SIMULATED === '1' || config.BRICKYARD_AGENT_HOST !== undefined, {
    path: ['BRICKYARD_AGENT_HOST'],
    message: 'must be the host name by which this node was, or will be, added',
  });
export type AgentConfig = z.infer<typeof AgentConfig>;
