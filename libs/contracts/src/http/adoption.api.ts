/** `/v1/adoptions` and `/v1/hosts`: what exists is shown, and taken over. */
import { z } from 'zod';
import { AdoptCluster, AdoptDevice, AdoptNode, AdoptVolume } from '../adoption/adoption.commands';
import { NodeFacts } from '../agent/node-facts';
import { HostName } from '../ids';

/** Things to take over, in the order the log takes them. */
export const AdoptionRequest = z.strictObject({
  adopt: z.array(z.discriminatedUnion('type', [AdoptCluster, AdoptNode, AdoptDevice, AdoptVolume])).max(500),
});
export type AdoptionRequest = z.infer<typeof AdoptionRequest>;

/** What became of them. */
export const AdoptionAnswer = z.strictObject({
  adopted: z.int(),
  refused: z.array(z.strictObject({ subject: z.string(), reason: z.string() })),
});
export type AdoptionAnswer = z.infer<typeof AdoptionAnswer>;

/** `GET /v1/hosts?name=…`: each host as its agent sees it now; those that said nothing are named. */
export const HostsAnswer = z.strictObject({
  hosts: z.array(NodeFacts.omit({ part: true, parts: true })),
  silent: z.array(z.string()),
});
export type HostsAnswer = z.infer<typeof HostsAnswer>;

/** `POST /v1/rebuild`. */
export const RebuildRequest = z.strictObject({
  /** The names that agents answer to. */
  hosts: z.array(HostName).min(1).max(1_000),
  /** False: only says what would be done. */
  apply: z.boolean().default(false),
});
export type RebuildRequest = z.infer<typeof RebuildRequest>;
