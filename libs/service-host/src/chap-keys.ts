/**
 * The secrets that initiators of block volumes sign in with. Each follows from a key and the block volume's id: gateways
 * that tell it and allocators that send it to hosts know the key, and no log, event or snapshot holds the secret.
 */
import { createHash, createHmac } from 'node:crypto';
import type { BlockVolumeId } from '@brickyard/contracts';
import { z } from 'zod';

/** As long as the picky ones among initiators take: 12 to 16 characters, here with 96 bits. */
const SECRET_CHARACTERS = 16;
const KEY_CHARACTERS_MIN = 32;
const ID_CHARACTERS = 16;

/** Keys of now and before. */
export interface ChapKeys {
  /** Names the key for block volumes made from now on. */
  readonly newest: string;
  /** The secret of a block volume made under a key; undefined when that key is not here. */
  secretOf(keyId: string, blockVolumeId: BlockVolumeId): string | undefined;
}

/** Both kinds of process are given the same: keys separated by white space, the one for new block volumes first. */
export const chapVariables = {
  BRICKYARD_CHAP_KEYS: z
    .string()
    .transform((text) => text.split(/\s+/).filter((key) => key !== ''))
    .refine((keys) => keys.length > 0 && keys.every((key) => key.length >= KEY_CHARACTERS_MIN), {
      message: `must be keys of at least ${String(KEY_CHARACTERS_MIN)} characters, separated by white space`,
    })
    .optional()
    .describe('keys that the secrets of block volumes follow from'),
} as const;

/** The keys of a configuration; undefined when it has none, and then no block volume can ask for a secret. */
export function chapKeysFrom({
  BRICKYARD_CHAP_KEYS: keys = [],
}: {
  readonly BRICKYARD_CHAP_KEYS?: readonly string[] | undefined;
}): ChapKeys | undefined {
  const [first] = keys;
  if (first === undefined) return undefined;
  const byId = new Map(keys.map((key) => [idOf(key), key] as const));
  return {
    newest: idOf(first),
    secretOf: (keyId, blockVolumeId) => {
      const key = byId.get(keyId);
      return key === undefined ? undefined : secretFrom(key, blockVolumeId);
    },
  };
}

/** Tells keys apart and gives none away. */
const idOf = (key: string): string =>
  createHash('sha256').update(`brickyard chap key ${key}`).digest('hex').slice(0, ID_CHARACTERS);

const secretFrom = (key: string, blockVolumeId: BlockVolumeId): string =>
  createHmac('sha256', key).update(`chap ${blockVolumeId}`).digest('base64url').slice(0, SECRET_CHARACTERS);
