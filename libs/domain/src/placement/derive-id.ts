/**
 * Ids that follow from their owner's id. Two replays, two leaders and a what-if all name the same brick alike, which
 * a drawn id could not do. MurmurHash3 (x86, 128 bit) spreads well and is cheap; nothing here needs to resist an attacker.
 */

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;
const BLOCK_BYTES = 16;

/** The four lanes of the hash. */
type Lanes = [number, number, number, number];

const rotl = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

const scramble = (word: number, first: number, bits: number, second: number): number =>
  Math.imul(rotl(Math.imul(word, first), bits), second);

const step = (lane: number, neighbour: number, bits: number, plus: number): number =>
  (Math.imul((rotl(lane, bits) + neighbour) | 0, 5) + plus) | 0;

/** Four bytes, lowest first; bytes past the end count as zero, as the tail of the hash wants it. */
const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);

function mixBlock(lanes: Lanes, bytes: Uint8Array, at: number): Lanes {
  let [h1, h2, h3, h4] = lanes;
  h1 = step(h1 ^ scramble(wordAt(bytes, at), C1, 15, C2), h2, 19, 0x561ccd1b);
  h2 = step(h2 ^ scramble(wordAt(bytes, at + 4), C2, 16, C3), h3, 17, 0x0bcaa747);
  h3 = step(h3 ^ scramble(wordAt(bytes, at + 8), C3, 17, C4), h4, 15, 0x96cd1c35);
  h4 = step(h4 ^ scramble(wordAt(bytes, at + 12), C4, 18, C1), h1, 13, 0x32ac3b17);
  return [h1, h2, h3, h4];
}

const mixTail = ([h1, h2, h3, h4]: Lanes, bytes: Uint8Array, at: number): Lanes => [
  h1 ^ scramble(wordAt(bytes, at), C1, 15, C2),
  h2 ^ scramble(wordAt(bytes, at + 4), C2, 16, C3),
  h3 ^ scramble(wordAt(bytes, at + 8), C3, 17, C4),
  h4 ^ scramble(wordAt(bytes, at + 12), C4, 18, C1),
];

function avalanche(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Adds the others to the first, then the first to the others. */
function blend([h1, h2, h3, h4]: Lanes): Lanes {
  const sum = (h1 + h2 + h3 + h4) | 0;
  return [sum, (h2 + sum) | 0, (h3 + sum) | 0, (h4 + sum) | 0];
}

/** MurmurHash3 x86 128 as its four 32-bit words, unsigned. */
export function murmur3(bytes: Uint8Array, seed: number): readonly [number, number, number, number] {
  let lanes: Lanes = [seed | 0, seed | 0, seed | 0, seed | 0];
  const tailAt = bytes.length - (bytes.length % BLOCK_BYTES);
  for (let at = 0; at < tailAt; at += BLOCK_BYTES) lanes = mixBlock(lanes, bytes, at);
  if (tailAt < bytes.length) lanes = mixTail(lanes, bytes, tailAt);
  const [h1, h2, h3, h4] = blend(lanes.map((lane) => lane ^ bytes.length) as Lanes);
  const [a, b, c, d] = blend([avalanche(h1), avalanche(h2), avalanche(h3), avalanche(h4)]);
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

const hex8 = (word: number): string => word.toString(16).padStart(8, '0');

/** The id of what `label` names within what `seed` names: 32 lowercase hexadecimal characters, always the same. */
export function deriveId(seed: string, label: string): string {
  return murmur3(new TextEncoder().encode(`${seed}/${label}`), 0)
    .map(hex8)
    .join('');
}
