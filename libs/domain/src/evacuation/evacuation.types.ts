/** What an evacuation is asked and what it answers. */
import type {
  BlockedBrick,
  Brick,
  BrickId,
  DeviceId,
  MovePlacement,
  NodeId,
  VolumeId,
  ZoneChecking,
} from '@brickyard/contracts';

/** What is to lose its bricks. */
export type EvacuationSubject =
  | { readonly kind: 'node'; readonly nodeId: NodeId }
  | { readonly kind: 'device'; readonly deviceId: DeviceId }
  | { readonly kind: 'brick'; readonly brickId: BrickId };

/** An evacuation to plan. */
export interface EvacuationRequest {
  readonly subject: EvacuationSubject;
  /** The ids of the new bricks and the starts of the walks derive from it. */
  readonly seed: string;
  /** For volumes that say nothing themselves. */
  readonly zoneChecking: ZoneChecking;
}

/** One brick, where it shall lie, and why there. */
export interface PlannedMove {
  readonly volumeId: VolumeId;
  readonly brickId: BrickId;
  readonly replacement: Brick;
  readonly placement: MovePlacement;
}

/** Why not: the bricks that found no place, and the smallest change that would help. */
export interface EvacuationRefusal {
  readonly blocked: readonly BlockedBrick[];
  readonly blockedMore: number;
  readonly remedy: string;
}

/** All moves, or none. */
export type EvacuationPlanned =
  | { readonly kind: 'planned'; readonly moves: readonly PlannedMove[] }
  | ({ readonly kind: 'refused' } & EvacuationRefusal);
