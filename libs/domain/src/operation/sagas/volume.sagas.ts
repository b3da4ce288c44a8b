/** How volumes are built, grown and taken away. */
import type { Brick } from '@brickyard/contracts';
import type { Step } from '@brickyard/event-sourcing';
import type { ControlState, Volume } from '../../control/control.state';
import { stampOption } from '../../rebuild/volume-stamp';
import { brickLocations, brickOrders, glusterDurability, memberOrders, volumeOrder, type Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type VolumePlan = SagaPlan<Extract<OperationPlan, { readonly volumeId: unknown }>>;

/** The bricks an operation is about: all of the volume, or those an expansion adds. */
function bricksOf(plan: VolumePlan, volume: Volume): readonly Brick[] {
  if (plan.kind !== 'expand-volume') return volume.bricks;
  const added = new Set<string>(plan.brickIds);
  return volume.bricks.filter((brick) => added.has(brick.brickId));
}

const perBrick =
  (type: 'CreateBrick' | 'DeleteBrick' | 'ReadBrick') =>
  (plan: VolumePlan, state: ControlState): readonly Order[] => {
    const volume = state.volumes.get(plan.volumeId);
    return volume === undefined ? [] : brickOrders(state, volume, bricksOf(plan, volume), type);
  };

const ref = ({ volumeId, spec }: Volume) => ({ volumeId, name: spec.name });

const perVolume =
  (type: 'DeleteGlusterVolume' | 'ReadGlusterVolume' | 'StartGlusterVolume' | 'StopGlusterVolume' | 'StartRebalance') =>
  (plan: VolumePlan, state: ControlState): readonly Order[] =>
    volumeOrder(state, plan.volumeId, plan.attempt, (volume) => ({ type, volume: ref(volume) }));

const forgetEverywhere = (plan: VolumePlan, state: ControlState): readonly Order[] =>
  memberOrders(state, plan.volumeId, (volume) => ({ type: 'DeleteGlusterVolume', volume: ref(volume) }));

const createGlusterVolume = (plan: VolumePlan, state: ControlState): readonly Order[] =>
  volumeOrder(state, plan.volumeId, plan.attempt, (volume) => ({
    type: 'CreateGlusterVolume',
    volume: {
      ...ref(volume),
      durability: glusterDurability(volume.spec),
      bricks: brickLocations(state, volume.bricks),
      // Set before the owner: a volume that is whole can be told from the hosts alone.
      options: [...volume.spec.options, stampOption(volume, state)],
      sizeKib: volume.spec.sizeKib,
    },
  }));

const expansion =
  (type: 'AddBricks' | 'RemoveBricks') =>
  (plan: VolumePlan, state: ControlState): readonly Order[] =>
    volumeOrder(state, plan.volumeId, plan.attempt, (volume) => ({
      type,
      expansion: {
        ...ref(volume),
        durability: glusterDurability(volume.spec),
        bricks: brickLocations(state, bricksOf(plan, volume)),
      },
    }));

const createBricks: Step<VolumePlan, ControlState, Order> = {
  name: 'create-bricks',
  act: perBrick('CreateBrick'),
  undo: perBrick('DeleteBrick'),
  probe: perBrick('ReadBrick'),
};

/** Builds a planned volume, or leaves no trace of it. */
export const createVolumeSaga: OperationSaga<VolumePlan> = {
  name: 'create-volume',
  steps: [
    createBricks,
    {
      name: 'create-volume',
      act: createGlusterVolume,
      undo: forgetEverywhere,
      probe: perVolume('ReadGlusterVolume'),
    },
    { name: 'start-volume', act: perVolume('StartGlusterVolume'), undo: perVolume('StopGlusterVolume') },
  ],
};

/** Adds whole sets of bricks to a volume, then spreads its files over them. */
export const expandVolumeSaga: OperationSaga<VolumePlan> = {
  name: 'expand-volume',
  steps: [
    createBricks,
    { name: 'add-bricks', act: expansion('AddBricks'), undo: expansion('RemoveBricks') },
    { name: 'start-rebalance', act: perVolume('StartRebalance'), onFailure: 'ignore', retriesMax: 0 },
  ],
};

/**
 * Takes a volume away. Once Gluster has forgotten it there is no way back, and a host that fell silent over it may have made
 * it do so: others are asked. Bricks that cannot be reached are left for later.
 */
export const deleteVolumeSaga: OperationSaga<VolumePlan> = {
  name: 'delete-volume',
  steps: [
    { name: 'stop-volume', act: perVolume('StopGlusterVolume'), undo: perVolume('StartGlusterVolume') },
    {
      name: 'delete-volume',
      act: perVolume('DeleteGlusterVolume'),
      probe: perVolume('ReadGlusterVolume'),
      effect: 'absent',
      proof: true,
    },
    { name: 'delete-bricks', act: perBrick('DeleteBrick'), onFailure: 'leave' },
  ],
};
