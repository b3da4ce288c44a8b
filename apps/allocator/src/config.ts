import { busVariables, chapVariables } from '@brickyard/service-host';
import { z } from 'zod';

const seconds = (fallback: number): z.ZodType<number> => z.coerce.number().positive().default(fallback);

/** The allocator's settings, read from the environment. */
export const AllocatorConfig = z.object({
  BRICKYARD_PG_URL: z.url(),
  ...busVariables,
  ...chapVariables,
  /** Port of health and metrics; 0 takes a free one. */
  BRICKYARD_HEALTH_PORT: z.coerce.number().int().min(0).default(0),
  /** Address they are served on. */
  BRICKYARD_HEALTH_HOST: z.string().default('127.0.0.1'),
  BRICKYARD_LOG_LEVEL: z.string().default('info'),
  /** An agent that is silent this long is lost: its running tasks are given up. Agents that are not heard stop after 5 s. */
  BRICKYARD_NODE_LOST_SECONDS: z.coerce.number().min(7).default(10),
  /** Servers of a NATS cluster that keep a copy of each stream. */
  BRICKYARD_NATS_REPLICAS: z.coerce.number().int().min(1).max(5).optional(),
  /** Events between two snapshots of the fold. */
  BRICKYARD_SNAPSHOT_EVENTS: z.coerce.number().int().min(1).default(10_000),
  /** What is done about differences between log and hosts: nothing, or what loses and decides nothing. */
  BRICKYARD_DRIFT_HEAL: z.enum(['none', 'trivial']).default('trivial'),
  /** Private key (PEM, Ed25519) that signs the head of the log; made when it is missing. Absent: nothing is signed. */
  BRICKYARD_CHECKPOINT_KEY_FILE: z.string().optional(),
  /** File that gets every signed head besides Postgres; best on another disk. */
  BRICKYARD_CHECKPOINT_FILE: z.string().optional(),
  /** Events between two signed heads. */
  BRICKYARD_CHECKPOINT_EVENTS: z.coerce.number().int().min(1).default(10_000),
  /** After so long what is not signed for yet gets a signed head. */
  BRICKYARD_CHECKPOINT_SECONDS: seconds(60),
});
export type AllocatorConfig = z.infer<typeof AllocatorConfig>;
