/** What placement is asked and what it answers. */
import type {
  Brick,
  ClusterId,
  ClusterRefusal,
  Durability,
  PlacementExplanation,
  PlacementPolicy,
  Rejection,
  VolumeId,
} from '@brickyard/contracts';

/** How bricks are to be protected and chosen, whatever their size. */
export interface PlacementShape {
  readonly durability: Durability;
  /** Decimal text; 1 when snapshots are off. */
  readonly snapshotFactor: string;
  /** Gluster options in order, each `key value`; placement reads its own keys among them. */
  readonly options: readonly string[];
  readonly policy: PlacementPolicy;
}

/** Bricks wanted for one new volume or one expansion. */
export interface BrickRequest extends PlacementShape {
  readonly volumeId: VolumeId;
  /** Brick ids and the starts of the walks derive from it: the volume's id, or the operation's for an expansion. */
  readonly seed: string;
  readonly clusterId: ClusterId;
  readonly sizeKib: number;
  /** Bricks the volume has already; they count against the limit of bricks a volume. */
  readonly existingBricks: number;
  /** The number of the first new set; 0 for a new volume. */
  readonly firstSet: number;
}

/** Bricks with the reasons for each, or the reason why there are none. */
export type BrickPlan =
  | { readonly kind: 'placed'; readonly bricks: Brick[]; readonly explanation: PlacementExplanation }
  | { readonly kind: 'refused'; readonly refusal: ClusterRefusal }
  | { readonly kind: 'invalid-tag-rule'; readonly rule: string }
  | { readonly kind: 'average-file-too-large'; readonly averageKib: number; readonly brickKib: number };

/** Why a new volume got no bricks. */
export type VolumeNotPlaced = Extract<
  Rejection,
  {
    kind:
      | 'NoClusters'
      | 'UnknownClusterRequested'
      | 'VolumeTooSmall'
      | 'NotPlaced'
      | 'InvalidTagRule'
      | 'AverageFileTooLarge';
  }
>;

/** A new volume's bricks and cluster, or the whole answer why not. */
export type VolumePlacement =
  | {
      readonly kind: 'placed';
      readonly clusterId: ClusterId;
      readonly bricks: Brick[];
      readonly explanation: PlacementExplanation;
    }
  | { readonly kind: 'refused'; readonly rejection: VolumeNotPlaced };

/** More bricks for a volume, or the whole answer why not. */
export type ExpansionPlacement =
  | { readonly kind: 'placed'; readonly bricks: Brick[]; readonly explanation: PlacementExplanation }
  | {
      readonly kind: 'refused';
      readonly rejection: Extract<Rejection, { kind: 'ExpansionNotPlaced' | 'InvalidTagRule' | 'AverageFileTooLarge' }>;
    };
