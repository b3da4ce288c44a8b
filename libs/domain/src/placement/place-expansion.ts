/** Where an expansion's bricks go: the volume's own cluster, the volume's own shape. */
import type { OperationId, PlacementPolicy } from '@brickyard/contracts';
import type { ControlState, Volume } from '../control/control.state';
import type { ExpansionPlacement } from './placement.types';

/** Places the bricks that grow a volume by `addKib`. */
export type PlaceExpansion = (
  request: { readonly operationId: OperationId; readonly addKib: number; readonly policy: PlacementPolicy },
  volume: Volume,
  state: ControlState,
) => ExpansionPlacement;
