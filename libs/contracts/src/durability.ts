import { z } from 'zod';

/** What protects the data of a volume, and so how many bricks make a set. */
export const Durability = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('replicate'), replica: z.int().min(1).max(3) }),
  /** Two copies, and a third brick that holds only names, to tell which of them is right. */
  z.strictObject({ kind: z.literal('arbiter') }),
  z.strictObject({ kind: z.literal('disperse'), data: z.int().min(2), redundancy: z.int().min(1) }),
]);
export type Durability = z.infer<typeof Durability>;

/** The data + redundancy pairs that are offered: heketi's list. */
export const DISPERSE_SHAPES: readonly (readonly [data: number, redundancy: number])[] = [
  [2, 1],
  [4, 2],
  [8, 3],
  [8, 4],
];

/** Whether this pair is one of them. */
export const isDisperseOffered = (data: number, redundancy: number): boolean =>
  DISPERSE_SHAPES.some((shape) => shape[0] === data && shape[1] === redundancy);

/** How many bricks make one set. */
export function bricksPerSet(durability: Durability): number {
  switch (durability.kind) {
    case 'none':
      return 1;
    case 'replicate':
      return durability.replica;
    case 'arbiter':
      return 3;
    case 'disperse':
      return durability.data + durability.redundancy;
  }
}

/** How many bricks of a set hold distinct data: the divisor from set size to brick size. */
export const dataBricks = (durability: Durability): number => (durability.kind === 'disperse' ? durability.data : 1);
