/** Body of `POST /v1/what-if`: steps of a story that is told and not lived. */
import { z } from 'zod';
import { ClusterId, NodeId } from '../ids';
import { Tags } from '../cluster/cluster.objects';
import { VolumeCreateRequest } from './heketi.api';

/** The most devices one step adds; more is another step. */
const DEVICES_MAX = 256;
/** 16 EiB in GiB would not be exact in KiB any more; nobody has devices of 1 EiB either. */
const DEVICE_GIB_MAX = 1_073_741_824;

const deviceSize = z.int().min(1).max(DEVICE_GIB_MAX);

/** One step; each begins where the one before ended. */
export const WhatIfStep = z.discriminatedUnion('do', [
  /** Create this volume: where would its bricks go? */
  z.strictObject({ do: z.literal('create-volume'), volume: VolumeCreateRequest }),
  /** Lose this node: which volumes suffer, and how? */
  z.strictObject({ do: z.literal('lose-node'), node: NodeId }),
  /** Add devices of one size to a node. */
  z.strictObject({
    do: z.literal('add-devices'),
    node: NodeId,
    sizeGib: deviceSize,
    count: z.int().min(1).max(DEVICES_MAX).default(1),
    tags: Tags.default({}),
  }),
  /** How many volumes of this shape fit? */
  z.strictObject({ do: z.literal('fill'), volume: VolumeCreateRequest, cluster: ClusterId.optional() }),
]);
export type WhatIfStep = z.infer<typeof WhatIfStep>;

export const WhatIfRequest = z.strictObject({ steps: z.array(WhatIfStep).min(1).max(32) });
export type WhatIfRequest = z.infer<typeof WhatIfRequest>;
