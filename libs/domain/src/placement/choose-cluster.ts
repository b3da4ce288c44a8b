/** Which cluster takes a new volume. */
import type { PlacementPolicy, VolumeId, VolumeSpec } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import type { VolumePlacement } from './placement.types';

/** Places a new volume in the first cluster that takes it. */
export type PlaceVolume = (
  request: {
    readonly volumeId: VolumeId;
    readonly spec: VolumeSpec;
    /** Clusters to try, in order; empty means all, by id. */
    readonly clusters: readonly string[];
    readonly policy: PlacementPolicy;
  },
  state: ControlState,
) => VolumePlacement;
