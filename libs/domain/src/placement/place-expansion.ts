/** Where an expansion's bricks go: the volume's own cluster, the volume's own shape, new sets after the old ones. */
import type { ClusterRefusal, OperationId, PlacementPolicy } from '@brickyard/contracts';
import type { ControlState, Volume } from '../control/control.state';
import { planBricks } from './plan-bricks';
import type { BrickPlan, ExpansionPlacement } from './placement.types';
import { shortestRemedy, type Wanted } from './remedy/remedy';
import { ringOf } from './ring';

/** How much a volume is to grow. */
export interface Expansion {
  /** The ids of the new bricks derive from it: the volume's id already gave ids to the old ones. */
  readonly operationId: OperationId;
  readonly addKib: number;
  readonly policy: PlacementPolicy;
}

const wantedBy = ({ operationId, addKib, policy }: Expansion, { volumeId, spec, bricks }: Volume): Wanted => ({
  volumeId,
  seed: operationId,
  durability: spec.durability,
  sizeKib: addKib,
  snapshotFactor: spec.snapshotFactor,
  options: spec.options,
  existingBricks: bricks.length,
  firstSet: bricks.reduce((next, brick) => Math.max(next, brick.set + 1), 0),
  policy,
  block: spec.block,
});

/** The cluster being without usable devices is told apart from its devices being full. */
function planFor(wanted: Wanted, { clusterId }: Volume, state: ControlState): BrickPlan {
  const refuse = (refusal: ClusterRefusal): BrickPlan => ({ kind: 'refused', refusal });
  const cluster = state.clusters.get(clusterId);
  if (cluster === undefined || cluster.nodeIds.length === 0) return refuse({ kind: 'NoNodes' });
  if (ringOf(cluster.ring).devices.length === 0) return refuse({ kind: 'NoOnlineDevices' });
  return planBricks({ ...wanted, clusterId }, cluster, state.devices);
}

/** Places the bricks that grow a volume by `addKib`. */
export function placeExpansion(expansion: Expansion, volume: Volume, state: ControlState): ExpansionPlacement {
  const wanted = wantedBy(expansion, volume);
  const plan = planFor(wanted, volume, state);
  if (plan.kind === 'placed') return plan;
  if (plan.kind === 'invalid-tag-rule') {
    return { kind: 'refused', rejection: { kind: 'InvalidTagRule', rule: plan.rule } };
  }
  if (plan.kind === 'average-file-too-large') {
    const { averageKib, brickKib } = plan;
    return { kind: 'refused', rejection: { kind: 'AverageFileTooLarge', averageKib, brickKib } };
  }
  const { refusal } = plan;
  const remedy = shortestRemedy([{ clusterId: volume.clusterId, refusal }], wanted, state);
  return { kind: 'refused', rejection: { kind: 'ExpansionNotPlaced', refusal, remedy } };
}
