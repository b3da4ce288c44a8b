/** How a volume is cloned: by Gluster, through a snapshot that exists only meanwhile. */
import type { GlusterClone, TaskOf } from '@brickyard/contracts';
import type { ControlState } from '../../control/control.state';
import { brickLocations, brickOrders, memberOrders, volumeOrder, type Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type ClonePlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'clone-volume' }>>;

/** Named after the clone, as heketi named it: two clones of one volume do not meet. */
const snapshotOf = ({ volumeId }: ClonePlan): string => `tmpsnap_${volumeId}`;

function cloningOf(plan: ClonePlan, state: ControlState): GlusterClone {
  const ref = (volumeId: ClonePlan['volumeId']): GlusterClone['clone'] => ({
    volumeId,
    name: state.volumes.get(volumeId)?.spec.name ?? '',
  });
  const bricks = brickLocations(state, state.volumes.get(plan.originId)?.bricks ?? []);
  return { clone: ref(plan.volumeId), origin: ref(plan.originId), bricks, snapshot: snapshotOf(plan) };
}

type CloneTask = 'CloneGlusterVolume' | 'ReadGlusterClone';

const perClone =
  (type: CloneTask) =>
  (plan: ClonePlan, state: ControlState): readonly Order[] => {
    const task: TaskOf<CloneTask> = { type, cloning: cloningOf(plan, state) };
    return volumeOrder(state, plan.volumeId, plan.attempt, () => task);
  };

const perVolume =
  (type: 'StartGlusterVolume' | 'StopGlusterVolume') =>
  (plan: ClonePlan, state: ControlState): readonly Order[] =>
    volumeOrder(state, plan.volumeId, plan.attempt, ({ volumeId, spec }) => ({
      type,
      volume: { volumeId, name: spec.name },
    }));

/** A daemon that was away while the clone was made may be the only one that still knows it. */
const forgetEverywhere = (plan: ClonePlan, state: ControlState): readonly Order[] =>
  memberOrders(state, plan.volumeId, () => ({ type: 'DeleteGlusterClone', cloning: cloningOf(plan, state) }));

/** Bricks that Gluster has made; where it has not told of any, none are there. */
function deleteBricks(plan: ClonePlan, state: ControlState): readonly Order[] {
  const volume = state.volumes.get(plan.volumeId);
  if (volume === undefined) return [];
  const made = volume.bricks.filter(({ path }) => path !== '');
  return brickOrders(state, volume, made, 'DeleteBrick');
}

const nothing = (): readonly Order[] => [];

/**
 * Makes a clone, or leaves no trace of it. Gluster keeps the bricks of a clone it forgets: on the way back they are asked
 * for first, then the clone is forgotten, then they are removed; hence the two steps that do nothing on the way there.
 */
export const cloneVolumeSaga: OperationSaga<ClonePlan> = {
  name: 'clone-volume',
  steps: [
    { name: 'keep-bricks', act: nothing, undo: deleteBricks },
    { name: 'keep-volume', act: nothing, undo: forgetEverywhere },
    {
      name: 'clone-volume',
      act: perClone('CloneGlusterVolume'),
      undo: perClone('ReadGlusterClone'),
      // Not whether it is there alone: where its bricks lie is known from the answer and from nowhere else.
      probe: perClone('ReadGlusterClone'),
    },
    { name: 'start-volume', act: perVolume('StartGlusterVolume'), undo: perVolume('StopGlusterVolume') },
  ],
};
