/** What a node agent says of its host, unasked. */
import { z } from 'zod';
import { HostName } from '../ids';

/** Sent every few seconds: the agent lives. Also carries what is cheap to know. */
export const Heartbeat = z.strictObject({
  host: HostName,
  /** Changes with every start of the agent. */
  incarnation: z.string(),
  glusterd: z.enum(['running', 'stopped']),
  simulated: z.boolean(),
  /** Milliseconds until the next one is due. */
  intervalMs: z.int().min(1),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** An agent's answer when asked whether it is there. */
export const ProbeReply = Heartbeat.pick({ host: true, incarnation: true, glusterd: true, simulated: true });
export type ProbeReply = z.infer<typeof ProbeReply>;

/** One brick as its host sees it. */
export const BrickFact = z.strictObject({
  path: z.string(),
  mounted: z.boolean(),
  /** Set when the brick should be mounted and is not. */
  problem: z.string().optional(),
});

/** A host's devices, bricks and Gluster view at one moment. */
export const NodeFacts = z.strictObject({
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
      /** Entries waiting to be healed; absent when it could not be read. */
      healPending: z.int().min(0).optional(),
    }),
  ),
});
export type NodeFacts = z.infer<typeof NodeFacts>;
