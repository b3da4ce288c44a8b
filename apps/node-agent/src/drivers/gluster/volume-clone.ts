/** How a volume is cloned: look, act, look again at each stage, so that a crash anywhere is gone on from. */
import type { GlusterClone } from '@brickyard/contracts';
import { clonePlaceOf } from '../../brick-path';
import { passing, refusal } from '../step-failure';
import { converge } from './converge';
import type { VolumeInfo } from './gluster.port';
import { checkOurs, deleteVolume, type VolumeContext } from './volume-changes';
import { checkName, OWNER_OPTIONS, ownerOf } from './volume-plan';

/** The directory of a brick as Gluster names it. */
export const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

/** Until it is given an owner of its own, a clone says that it belongs to whom its origin belongs. */
function isClone({ options, bricks }: VolumeInfo, { clone, origin }: GlusterClone): boolean {
  const owner = ownerOf(options);
  if (owner === clone.volumeId) return true;
  const isHalfMade = owner === undefined || owner === origin.volumeId;
  return isHalfMade && bricks.every(({ name }) => clonePlaceOf(pathOf(name)) !== undefined);
}

/** The clone, finished or not; undefined when there is none. */
export async function findClone({ gluster }: VolumeContext, cloning: GlusterClone): Promise<VolumeInfo | undefined> {
  checkNames(cloning);
  const found = await gluster.volume(cloning.clone.name);
  return found !== undefined && isClone(found, cloning) ? found : undefined;
}

function checkNames({ clone, origin, snapshot }: GlusterClone): void {
  for (const name of [clone.name, origin.name, snapshot]) checkName(name);
}

/** Clones a volume; the clone is not started. */
export async function cloneVolume(context: VolumeContext, cloning: GlusterClone): Promise<VolumeInfo> {
  checkNames(cloning);
  const { clone } = cloning;
  const before = await context.gluster.volume(clone.name);
  if (before !== undefined) checkClone(before, cloning);
  else await makeClone(context, cloning);
  await dropSnapshot(context, cloning);
  await giveOwner(context, cloning); // Last: by it a clone is known to be whole.
  const made = await context.gluster.volume(clone.name);
  if (made === undefined) throw refusal(`volume ${clone.name} was deleted by hand while it was cloned`);
  return made;
}

function checkClone(found: VolumeInfo, cloning: GlusterClone): void {
  if (isClone(found, cloning)) return;
  throw refusal(`a Gluster volume named ${found.name} exists already; delete it or choose another name for the clone`);
}

async function makeClone(context: VolumeContext, cloning: GlusterClone): Promise<void> {
  const { gluster, patience } = context;
  const { clone, origin, snapshot } = cloning;
  const failure = `volume ${origin.name} cannot be cloned`;
  const from = await gluster.volume(origin.name);
  if (from === undefined) throw refusal(`${failure}: it does not exist in Gluster; was it deleted by hand?`);
  checkOurs(from, origin, context.mountRoot);
  const isSame = cloning.bricks.every(({ path }, index) => pathOf(from.bricks[index]?.name ?? '') === path);
  if (!isSame || from.bricks.length !== cloning.bricks.length) {
    throw refusal(`${failure}: it has other bricks in Gluster than in the log; see its drift`);
  }
  if (from.status !== 'started') throw refusal(`${failure}: it is not started`);
  await converge(
    {
      failure,
      isDone: async () => (await gluster.snapshot(snapshot)) !== 'absent',
      act: () => gluster.createSnapshot(snapshot, origin.name),
    },
    patience,
  );
  await converge(
    {
      failure,
      isDone: async () => (await gluster.snapshot(snapshot)) === 'active',
      act: () => gluster.activateSnapshot(snapshot),
    },
    patience,
  );
  await converge(
    {
      failure,
      isDone: async () => (await gluster.volume(clone.name)) !== undefined,
      act: () => gluster.cloneSnapshot(clone.name, snapshot),
    },
    patience,
  );
  const made = await gluster.volume(clone.name);
  if (made !== undefined) checkClone(made, cloning); // Somebody may have been quicker.
}

async function giveOwner({ gluster, patience }: VolumeContext, { clone }: GlusterClone): Promise<void> {
  const pairs = OWNER_OPTIONS.map((key) => [key, clone.volumeId] as const);
  await converge(
    {
      failure: `the clone ${clone.name} cannot be given an owner`,
      isDone: async () => {
        const options = (await gluster.volume(clone.name))?.options ?? {};
        return pairs.every(([key, value]) => options[key] === value);
      },
      act: () => gluster.set(clone.name, pairs),
    },
    patience,
  );
}

/** Some failures of single bricks are told as a success: it is looked once more. */
async function dropSnapshot({ gluster, patience }: VolumeContext, { snapshot }: GlusterClone): Promise<void> {
  const failure = `snapshot ${snapshot} cannot be deleted`;
  const isDone = async (): Promise<boolean> => (await gluster.snapshot(snapshot)) === 'absent';
  await converge({ failure, isDone, act: () => gluster.deleteSnapshot(snapshot) }, patience);
  if (!(await isDone())) throw passing(`${failure}: it is still there; see the log of glusterd`);
}

/** Forgets the clone and the snapshot; the bricks of the clone stay where they are. */
export async function deleteClone(context: VolumeContext, cloning: GlusterClone): Promise<void> {
  const found = await findClone(context, cloning);
  if (found !== undefined) {
    // A half-made one says that it is its origin's.
    const owner = ownerOf(found.options) === cloning.origin.volumeId ? cloning.origin : cloning.clone;
    await deleteVolume(context, { volumeId: owner.volumeId, name: cloning.clone.name });
  }
  await dropSnapshot(context, cloning);
}
