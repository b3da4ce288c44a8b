/** Facts as agents told them first: what a release before drift detection says. */
import { z } from 'zod';
import { HostName } from '../ids';

const BrickFact = z.strictObject({ path: z.string(), mounted: z.boolean(), problem: z.string().optional() });

/** A host's devices, bricks and Gluster view at one moment. */
export const NodeFactsV1 = z.strictObject({
  host: HostName,
  incarnation: z.string(),
  observedAt: z.iso.datetime({ precision: 3 }),
  glusterd: z.enum(['running', 'stopped']),
  simulated: z.boolean(),
  bricks: z.array(BrickFact),
  peers: z.array(z.strictObject({ uuid: z.string(), hostname: z.string(), connected: z.boolean() })),
  volumes: z.array(
    z.strictObject({
      name: z.string(),
      status: z.enum(['created', 'started', 'stopped']),
      healPending: z.int().min(0).optional(),
    }),
  ),
});
