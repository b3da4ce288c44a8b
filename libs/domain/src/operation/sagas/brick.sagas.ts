/** How a brick comes to lie elsewhere while its volume is in use, and how a device or node is emptied. */
import type { Brick, GlusterReplacement, TaskOf } from '@brickyard/contracts';
import type { BrickMove, ControlState, Volume } from '../../control/control.state';
import { brickLocations, brickOrders, glusterDurability, volumeOrder, type Order } from '../orders';
import type { EvacuationPlan, OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type EvictPlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'evict-brick' }>>;

interface Change {
  readonly volume: Volume;
  readonly old: Brick;
  readonly move: BrickMove;
}

function changeOf({ volumeId, brickId }: EvictPlan, state: ControlState): Change | undefined {
  const volume = state.volumes.get(volumeId);
  const old = volume?.bricks.find((brick) => brick.brickId === brickId);
  const move = volume?.moves.find((each) => each.brickId === brickId);
  return volume === undefined || old === undefined || move === undefined ? undefined : { volume, old, move };
}

const perBrick =
  (type: 'CreateBrick' | 'DeleteBrick' | 'ReadBrick', which: (change: Change) => Brick) =>
  (plan: EvictPlan, state: ControlState): readonly Order[] => {
    const change = changeOf(plan, state);
    return change === undefined ? [] : brickOrders(state, change.volume, [which(change)], type);
  };

const theNew = ({ move }: Change): Brick => move.replacement;
const theOld = ({ old }: Change): Brick => old;

function replacementTask({ volume, old, move }: Change, plan: EvictPlan, state: ControlState): GlusterReplacement[] {
  const [leaving] = brickLocations(state, [old]);
  const [replacement] = brickLocations(state, [move.replacement]);
  const others = volume.bricks.filter(({ set, brickId }) => set === old.set && brickId !== old.brickId);
  if (leaving === undefined || replacement === undefined) return [];
  const { volumeId, spec } = volume;
  return [
    {
      volumeId,
      name: spec.name,
      durability: glusterDurability(spec),
      leaving,
      replacement,
      others: brickLocations(state, others),
      healCheck: plan.healCheck,
    },
  ];
}

type ChangeTask = 'CheckReplacement' | 'ReplaceBrick' | 'ReadReplacement' | 'AwaitHeal';

/** One Gluster task, on a member that speaks. */
const perChange =
  (type: ChangeTask) =>
  (plan: EvictPlan, state: ControlState): readonly Order[] => {
    const found = changeOf(plan, state);
    const [change] = found === undefined ? [] : replacementTask(found, plan, state);
    if (change === undefined) return [];
    const task: TaskOf<ChangeTask> = { type, change };
    return volumeOrder(state, plan.volumeId, plan.attempt, () => task);
  };

/**
 * Moves a brick: the new one is made, Gluster serves it in the old one's place, the set heals, the old one goes. Once
 * Gluster has taken the new brick there is no way back; a copy is removed only when the set is whole again.
 */
export const evictBrickSaga: OperationSaga<EvictPlan> = {
  name: 'evict-brick',
  steps: [
    { name: 'check-replacement', act: perChange('CheckReplacement') },
    {
      name: 'create-brick',
      act: perBrick('CreateBrick', theNew),
      undo: perBrick('DeleteBrick', theNew),
      probe: perBrick('ReadBrick', theNew),
    },
    { name: 'replace-brick', act: perChange('ReplaceBrick'), probe: perChange('ReadReplacement'), proof: true },
    { name: 'await-heal', act: perChange('AwaitHeal'), onFailure: 'insist' },
    { name: 'delete-brick', act: perBrick('DeleteBrick', theOld), onFailure: 'leave' },
  ],
};

/** Empties a device: no orders of its own, a row of `evict-brick` operations. */
export const evacuateDeviceSaga: OperationSaga<SagaPlan<EvacuationPlan>> = {
  name: 'evacuate-device',
  steps: [],
};

/** Empties every device of a node likewise. */
export const evacuateNodeSaga: OperationSaga<SagaPlan<EvacuationPlan>> = {
  name: 'evacuate-node',
  steps: [],
};
