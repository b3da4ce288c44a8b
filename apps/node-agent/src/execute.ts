/** Which driver call each agent task is. */
import type { AgentTask, Outcome, TaskOf } from '@brickyard/contracts';
import type { BlockTargetDriver } from './drivers/block-target.driver';
import type { BrickDriver } from './drivers/brick.driver';
import { until } from './drivers/gluster/converge';
import { DONE, outcomeOf, passing } from './drivers/step-failure';
import type { Ground } from './drivers/grounds';
import type { VolumeDriver } from './drivers/volume.driver';

/** A brick process signs in at its glusterd a moment after it was started. */
const SERVED_MS = 10_000;
const SERVED_LOOK_MS = 500;

/** The drivers of one host. */
export interface Drivers {
  readonly bricks: BrickDriver;
  readonly volumes: VolumeDriver;
  readonly blocks: BlockTargetDriver;
  /** Where directories of somebody else's lie; absent on hosts that are simulated. */
  readonly grounds?: (paths: readonly string[]) => Promise<readonly Ground[]>;
}

type Handlers = {
  readonly [Type in AgentTask['type']]: (
    task: TaskOf<Type>,
    drivers: Drivers,
    secret: string | undefined,
  ) => Promise<Outcome>;
};

const handlers: Handlers = {
  CheckNode: (_, { volumes }) =>
    outcomeOf(async () => {
      if ((await volumes.readHealth()) === 'running') return DONE;
      throw passing('glusterd of this host does not answer; start it and try again');
    }),
  ProbePeer: (peer, { volumes }) => volumes.ensurePeer(peer),
  DetachPeer: (peer, { volumes }) => volumes.ensureNoPeer(peer),
  PrepareDevice: (device, { bricks }) => bricks.ensureDevice(device),
  RetireDevice: (device, { bricks }) => bricks.ensureNoDevice(device),
  ReadDevice: (device, { bricks }) => bricks.readDevice(device),
  // A directory that an unfinished volume has marked would be refused by the next one.
  CreateBrick: async ({ brick }, { bricks, volumes }) => {
    const made = await bricks.ensureBrick(brick);
    return made.ok ? volumes.ensureUnclaimed(brick.path) : made;
  },
  DeleteBrick: async ({ brick }, { bricks, volumes }) => {
    const removed = await bricks.ensureNoBrick(brick);
    return removed.ok ? volumes.ensureUnclaimed(brick.path) : removed;
  },
  ReadBrick: ({ brick }, { bricks }) => bricks.readBrick(brick),
  CreateGlusterVolume: ({ volume }, { volumes }) => volumes.ensureVolume(volume),
  DeleteGlusterVolume: ({ volume }, { volumes }) => volumes.ensureNoVolume(volume),
  ReadGlusterVolume: ({ volume }, { volumes }) => volumes.readVolume(volume),
  StartGlusterVolume: ({ volume }, { volumes }) => volumes.ensureStarted(volume),
  StopGlusterVolume: ({ volume }, { volumes }) => volumes.ensureStopped(volume),
  AddBricks: ({ expansion }, { volumes }) => volumes.ensureBricksAdded(expansion),
  RemoveBricks: ({ expansion }, { volumes }) => volumes.ensureBricksRemoved(expansion),
  CheckReplacement: ({ change }, { volumes }) => volumes.ensureReplaceable(change),
  ReplaceBrick: ({ change }, { volumes }) => volumes.ensureReplaced(change),
  ReadReplacement: ({ change }, { volumes }) => volumes.readReplacement(change),
  AwaitHeal: ({ change }, { volumes }) => volumes.ensureHealed(change),
  ServeBrick: async ({ brick }, { bricks, volumes }) => {
    const mounted = await bricks.ensureServed(brick);
    if (!mounted.ok) return mounted;
    return outcomeOf(() => serveBrick(brick.path, { bricks, volumes }));
  },
  AdoptGlusterVolume: ({ volume }, { volumes }) => volumes.ensureAdopted(volume),
  SetVolumeOptions: (change, { volumes }) => volumes.ensureOptions(change),
  CloneGlusterVolume: ({ cloning }, { volumes }) => volumes.ensureCloned(cloning),
  DeleteGlusterClone: ({ cloning }, { volumes }) => volumes.ensureNoClone(cloning),
  ReadGlusterClone: ({ cloning }, { volumes }) => volumes.readClone(cloning),
  CreateBlockFile: ({ file }, { blocks }) => blocks.ensureFile(file),
  GrowBlockFile: ({ file }, { blocks }) => blocks.ensureGrown(file),
  DeleteBlockFile: ({ file }, { blocks }) => blocks.ensureNoFile(file),
  ReadBlockFile: ({ file }, { blocks }) => blocks.readFile(file),
  ExportBlockVolume: ({ target }, { blocks }, secret) => blocks.ensureExported(target, secret),
  UnexportBlockVolume: ({ target }, { blocks }) => blocks.ensureNotExported(target),
  ReadBlockTarget: ({ target }, { blocks }) => blocks.readTarget(target),
  StartRebalance: ({ volume }, { volumes }) => volumes.ensureRebalance(volume),
};

/** Starts the process of a mounted brick, if its volume is started and it does not run; a volume that is not started is served by its start. */
async function serveBrick(path: string, { bricks, volumes }: Pick<Drivers, 'bricks' | 'volumes'>): Promise<Outcome> {
  if ((await volumes.readHealth()) !== 'running') {
    throw passing('glusterd of this host does not answer; the brick is served once it does');
  }
  const mounted = new Set((await bricks.readBricks()).filter((brick) => brick.mounted).map(({ path }) => path));
  const problems = await volumes.ensureServing((brick) => mounted.has(brick));
  const isServed = async (): Promise<boolean> =>
    ![...(await volumes.readIdle()).values()].some((paths) => paths.includes(path));
  if (await until(isServed, SERVED_MS, SERVED_LOOK_MS)) return DONE;
  throw passing(
    `the process of the brick at ${path} does not start: ${problems.join('; ') || 'see the log of the brick'}`,
  );
}

/** Does a task on one host; a task without its line above does not compile. */
export function execute<Type extends AgentTask['type']>(
  task: TaskOf<Type>,
  drivers: Drivers,
  secret?: string,
): Promise<Outcome> {
  const handler: Handlers[Type] = handlers[task.type];
  return handler(task, drivers, secret);
}
