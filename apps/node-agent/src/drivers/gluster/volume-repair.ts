/** How a volume that somebody changed by hand becomes again what the log says. */
import type { GlusterVolumeSpec, TaskOf } from '@brickyard/contracts';
import { bricksPerSet } from '@brickyard/contracts';
import { refusal } from '../step-failure';
import { converge } from './converge';
import type { VolumeInfo } from './gluster.port';
import { checkOurs, createVolume, type VolumeContext } from './volume-changes';
import { brickNames, checkName, ownerOf } from './volume-plan';

/** Makes the volume around bricks that hold its data; a volume of this name that is there must be it. */
export async function adoptVolume(context: VolumeContext, spec: GlusterVolumeSpec): Promise<void> {
  const { gluster, patience } = context;
  checkName(spec.name);
  const names = brickNames(spec.bricks, spec.durability, context.mountRoot);
  const found = await gluster.volume(spec.name);
  if (found !== undefined) checkSame(found, spec, names);
  await converge(
    {
      failure: `volume ${spec.name} cannot be made around its bricks`,
      isDone: async () => (await gluster.volume(spec.name)) !== undefined,
      // Forced: each brick still carries the mark of the volume it was in.
      act: () => gluster.create(spec.name, spec.durability, names, true),
    },
    patience,
  );
  await createVolume(context, spec); // All that is left to do are its options and its owner.
}

function checkSame(found: VolumeInfo, spec: GlusterVolumeSpec, names: readonly string[]): void {
  const owner = ownerOf(found.options);
  const isSame =
    found.perSet === bricksPerSet(spec.durability) &&
    found.bricks.length === names.length &&
    found.bricks.every(({ name }, index) => name === names[index]);
  if (isSame && (owner === undefined || owner === spec.volumeId)) return;
  throw refusal(`another Gluster volume is named ${spec.name}; delete it or give it another name`);
}

/** Sets some options and takes others away; all others stay as they are. */
export async function changeOptions(
  context: VolumeContext,
  { volume, set, unset }: Omit<TaskOf<'SetVolumeOptions'>, 'type'>,
): Promise<void> {
  const { gluster, patience } = context;
  const { name } = volume;
  checkName(name);
  const failure = `the options of volume ${name} cannot be set`;
  const info = async (): Promise<VolumeInfo> => {
    const found = await gluster.volume(name);
    if (found === undefined) throw refusal(`${failure}: it does not exist in Gluster; was it deleted by hand?`);
    return found;
  };
  const before = await info();
  // The owner itself may be what somebody changed.
  if (set['user.brickyard.id'] !== volume.volumeId) checkOurs(before, volume, context.mountRoot);
  const pairs = Object.entries(set);
  const isSet = async (): Promise<boolean> => {
    const now = (await info()).options;
    return pairs.every(([key, value]) => now[key] === value);
  };
  if (pairs.length > 0) await converge({ failure, isDone: isSet, act: () => gluster.set(name, pairs) }, patience);
  for (const key of unset) {
    const isDone = async (): Promise<boolean> => (await info()).options[key] === undefined;
    await converge({ failure, isDone, act: () => gluster.unset(name, key) }, patience);
  }
}
