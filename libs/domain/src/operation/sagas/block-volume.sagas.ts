/** How block volumes are made, grown and taken away. */
import type { Step } from '@brickyard/event-sourcing';
import type { BlockVolume, ControlState } from '../../control/control.state';
import { fileOrder, targetOrders } from '../block-orders';
import type { OperationPlan } from '../operation.state';
import type { Order } from '../orders';
import type { OperationSaga, SagaPlan } from './saga.types';
import { createVolumeSaga } from './volume.sagas';

type PlanOf<Kind extends OperationPlan['kind']> = SagaPlan<Extract<OperationPlan, { readonly kind: Kind }>>;
type CreatePlan = PlanOf<'create-block-volume'>;
type GrowPlan = PlanOf<'expand-block-volume'>;
type BlockPlan = CreatePlan | GrowPlan | PlanOf<'delete-block-volume'>;
type Orders<Plan> = (plan: Plan, state: ControlState) => readonly Order[];

const onBlock =
  <Plan extends BlockPlan>(
    orders: (block: BlockVolume, state: ControlState, plan: Plan) => readonly Order[],
  ): Orders<Plan> =>
  (plan, state) => {
    const block = state.blockVolumes.get(plan.blockVolumeId);
    return block === undefined ? [] : orders(block, state, plan);
  };

const aboutFile = (type: Parameters<typeof fileOrder>[3]): Orders<BlockPlan> =>
  onBlock((block, state, { attempt }) => fileOrder(block, state, attempt, type));

const aboutTargets = (type: Parameters<typeof targetOrders>[2]): Orders<BlockPlan> =>
  onBlock((block, state) => targetOrders(block, state, type));

type VolumeStep = (typeof createVolumeSaga.steps)[number];

/** The same step for the hosting volume that the operation makes beside; nothing to do when there was one. */
function forNewHosting({ act, undo, probe, ...step }: VolumeStep): Step<CreatePlan, ControlState, Order> {
  const onHosting =
    (orders: VolumeStep['act']): Orders<CreatePlan> =>
    ({ hostingVolumeId, makesHosting, attempt }, state) =>
      makesHosting ? orders({ kind: 'create-volume', volumeId: hostingVolumeId, attempt }, state) : [];
  return {
    ...step,
    act: onHosting(act),
    ...(undo === undefined ? {} : { undo: onHosting(undo) }),
    ...(probe === undefined ? {} : { probe: onHosting(probe) }),
  };
}

/** Makes a block volume, with a hosting volume when it needs a new one, or leaves no trace of either. */
export const createBlockVolumeSaga: OperationSaga<CreatePlan> = {
  name: 'create-block-volume',
  steps: [
    ...createVolumeSaga.steps.map(forNewHosting),
    {
      name: 'create-file',
      act: aboutFile('CreateBlockFile'),
      undo: aboutFile('DeleteBlockFile'),
      probe: aboutFile('ReadBlockFile'),
    },
    {
      name: 'export',
      act: aboutTargets('ExportBlockVolume'),
      undo: aboutTargets('UnexportBlockVolume'),
      probe: aboutTargets('ReadBlockTarget'),
    },
  ],
};

/** Grows the file, then lets each node see it. There is no way back from a larger file: a node that is away sees it on its return. */
export const expandBlockVolumeSaga: OperationSaga<GrowPlan> = {
  name: 'expand-block-volume',
  steps: [
    {
      name: 'grow-file',
      act: onBlock((block, state, { attempt, newSizeKib }) =>
        fileOrder(block, state, attempt, 'GrowBlockFile', newSizeKib),
      ),
      probe: onBlock((block, state, { attempt, newSizeKib }) =>
        fileOrder(block, state, attempt, 'ReadBlockFile', newSizeKib),
      ),
    },
    {
      name: 'show-size',
      act: onBlock((block, state, { newSizeKib }) => targetOrders(block, state, 'ExportBlockVolume', newSizeKib)),
      onFailure: 'leave',
    },
  ],
};

/** Takes a block volume away: nobody offers it first, then the file goes. */
export const deleteBlockVolumeSaga: OperationSaga<PlanOf<'delete-block-volume'>> = {
  name: 'delete-block-volume',
  steps: [
    {
      name: 'unexport',
      act: aboutTargets('UnexportBlockVolume'),
      undo: aboutTargets('ExportBlockVolume'),
      onFailure: 'leave',
    },
    {
      name: 'delete-file',
      act: aboutFile('DeleteBlockFile'),
      probe: aboutFile('ReadBlockFile'),
      effect: 'absent',
      proof: true,
    },
  ],
};
