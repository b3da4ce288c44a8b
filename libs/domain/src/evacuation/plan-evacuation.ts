/** Where every brick of a node, a device, or one brick alone would go. The whole first: all of them, or a reason. */
import { BrickId, kib, type BlockedBrick, type Brick, type ClusterId } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { brickPath } from '../placement/plan-bricks';
import { arrange, type Chosen, type Room, type Unplaced } from './arrange';
import type { EvacuationPlanned, EvacuationRequest, PlannedMove } from './evacuation.types';
import { evacuationRemedy } from './evacuation-remedy';
import { devicesOf, isRedundant, leavingBricks, moverOf, type LeavingBrick, type Mover } from './leaving';

/** Bricks a refusal names. */
const BLOCKED_NAMED_MAX = 32;

function replacementOf({ mover, device }: Chosen, state: ControlState): Brick {
  const { newBrickId } = mover;
  const { poolOf: _, foreign: __, ...brick } = mover.brick; // It will live in a pool of its own, and be ours.
  const { poolKib, metadataKib } = mover.footprint(state.devices.get(device.deviceId)?.extentKib ?? 1);
  const brickId = BrickId.parse(newBrickId);
  return {
    ...brick,
    brickId,
    nodeId: device.nodeId,
    deviceId: device.deviceId,
    path: brickPath(device.deviceId, brickId),
    poolKib: kib(poolKib),
    metadataKib: kib(metadataKib),
  };
}

function moveOf(chosen: Chosen, state: ControlState): PlannedMove {
  const { mover, order, passedOver, passedOverMore } = chosen;
  return {
    volumeId: mover.volume.volumeId,
    brickId: mover.brick.brickId,
    replacement: replacementOf(chosen, state),
    placement: {
      policy: 'ring-v1',
      ringSize: mover.ring.devices.length,
      ringStart: mover.start,
      unusable: [...mover.ring.unusableByRule],
      order,
      passedOver: [...passedOver],
      passedOverMore,
    },
  };
}

const blockedBy = (
  { volume, brick }: LeavingBrick,
  reason: BlockedBrick['reason'],
  devices: BlockedBrick['devices'] = [],
  devicesMore = 0,
): BlockedBrick => ({
  volumeId: volume.volumeId,
  brickId: brick.brickId,
  deviceId: brick.deviceId,
  reason,
  neededKib: kib(brick.poolKib + brick.metadataKib),
  devices,
  devicesMore,
});

const NAMED_PER_BRICK_MAX = 64;

/** What speaks against every device of the cluster: those walked over, then those that are not usable at all. */
function unplacedBy({ mover, passedOver, passedOverMore }: Unplaced): BlockedBrick {
  const named = NAMED_PER_BRICK_MAX - passedOver.length;
  const unusable = mover.ring.unusable.map(({ device, refusal }) => ({ deviceId: device.deviceId, refusal }));
  const devices = [...passedOver, ...unusable.slice(0, named)];
  const all = passedOver.length + passedOverMore + unusable.length;
  return blockedBy(mover, 'no-device', devices, all - devices.length);
}

function clusterOf(leaving: readonly LeavingBrick[]): ClusterId | undefined {
  return leaving[0]?.volume.clusterId;
}

/** The bricks with what was read for them; a brick that cannot be moved at all comes back as blocked. */
function moversOf(
  leaving: readonly LeavingBrick[],
  request: EvacuationRequest,
  state: ControlState,
): { readonly movers: readonly Mover[]; readonly blocked: readonly BlockedBrick[] } {
  const clusterId = clusterOf(leaving);
  const cluster = clusterId === undefined ? undefined : state.clusters.get(clusterId);
  const movers: Mover[] = [];
  const blocked: BlockedBrick[] = [];
  for (const each of leaving) {
    const mover = cluster === undefined ? undefined : moverOf(each, cluster, request, state);
    if (!isRedundant(each.volume)) blocked.push(blockedBy(each, 'only-copy'));
    else if (mover === undefined) blocked.push(blockedBy(each, 'bad-tag-rule'));
    else movers.push(mover);
  }
  return { movers, blocked };
}

interface Arrangement {
  readonly rows: readonly (Chosen | Unplaced)[];
  readonly blocked: readonly BlockedBrick[];
}

function arrangementOf(request: EvacuationRequest, state: ControlState): Arrangement {
  const { movers, blocked } = moversOf(leavingBricks(request.subject, state), request, state);
  const emptied = new Set(devicesOf(request.subject, state));
  const room: Room = { state, emptied };
  const rows = arrange(movers, room);
  return { rows, blocked: [...blocked, ...rows.flatMap((row) => (row.device === undefined ? [unplacedBy(row)] : []))] };
}

function refused({ rows, blocked }: Arrangement, request: EvacuationRequest, state: ControlState): EvacuationPlanned {
  const unplaced = rows.flatMap((row) => (row.device === undefined ? [row] : []));
  const wouldFit = (other: ControlState): boolean => arrangementOf(request, other).blocked.length === 0;
  return {
    kind: 'refused',
    blocked: blocked.slice(0, BLOCKED_NAMED_MAX),
    blockedMore: Math.max(0, blocked.length - BLOCKED_NAMED_MAX),
    remedy: evacuationRemedy({ subject: request.subject, blocked, unplaced, state, wouldFit }),
  };
}

/**
 * Plans where the bricks of a node, a device, or one brick go: usable devices of the same cluster, no two bricks of a
 * set on a node, strict zones, tags and arbiter roles as when they were placed, every reservation counted. It is
 * planned whether or not the subject is online, so that one can ask before. Same request and state, same plan.
 */
export function planEvacuation(request: EvacuationRequest, state: ControlState): EvacuationPlanned {
  const arrangement = arrangementOf(request, state);
  if (arrangement.blocked.length > 0) return refused(arrangement, request, state);
  const moves = arrangement.rows.flatMap((row) => (row.device === undefined ? [] : [moveOf(row, state)]));
  return { kind: 'planned', moves };
}
