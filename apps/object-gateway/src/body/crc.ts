/** Cyclic checksums that Node does not have, eight bytes a step, and the checksum of two texts in a row. */
import { crc32 as nativeCrc32 } from 'node:zlib';

/** The polynomials, reflected: iSCSI's (RFC 3720) and that of NVM Express. */
const CASTAGNOLI = 0x82f63b78;
const NVME = { high: 0x9a6c9329, low: 0xac4bc9b5 };
const IEEE = 0xedb88320;

const byte = (bytes: Buffer, at: number): number => bytes[at] ?? 0;
const byte32 = (table: Int32Array, at: number): number => table[at] ?? 0;

const castagnoliTables = tablesOf32(CASTAGNOLI);
const nvmeTables = tablesOf64();

export const crc32 = (bytes: Buffer, before: number): number => nativeCrc32(bytes, before);

export function crc32c(bytes: Buffer, before: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = castagnoliTables;
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    crc =
      byte32(t7, crc & 255) ^
      byte32(t6, (crc >>> 8) & 255) ^
      byte32(t5, (crc >>> 16) & 255) ^
      byte32(t4, crc >>> 24) ^
      byte32(t3, byte(bytes, at + 4)) ^
      byte32(t2, byte(bytes, at + 5)) ^
      byte32(t1, byte(bytes, at + 6)) ^
      byte32(t0, byte(bytes, at + 7));
  }
  for (; at < bytes.length; at += 1) crc = byte32(t0, (crc ^ byte(bytes, at)) & 255) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Two halves of a number of 64 bits. */
export interface Halves {
  readonly high: number;
  readonly low: number;
}

export function crc64nvme(bytes: Buffer, before: Halves): Halves {
  const { high: highs, low: lows } = nvmeTables;
  let high = ~before.high;
  let low = ~before.low;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    low ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    high ^=
      byte(bytes, at + 4) | (byte(bytes, at + 5) << 8) | (byte(bytes, at + 6) << 16) | (byte(bytes, at + 7) << 24);
    const [a, b, c, d] = [low & 255, (low >>> 8) & 255, (low >>> 16) & 255, low >>> 24];
    const [e, f, g, h] = [high & 255, (high >>> 8) & 255, (high >>> 16) & 255, high >>> 24];
    low =
      byte32(lows, 1792 + a) ^
      byte32(lows, 1536 + b) ^
      byte32(lows, 1280 + c) ^
      byte32(lows, 1024 + d) ^
      byte32(lows, 768 + e) ^
      byte32(lows, 512 + f) ^
      byte32(lows, 256 + g) ^
      byte32(lows, h);
    high =
      byte32(highs, 1792 + a) ^
      byte32(highs, 1536 + b) ^
      byte32(highs, 1280 + c) ^
      byte32(highs, 1024 + d) ^
      byte32(highs, 768 + e) ^
      byte32(highs, 512 + f) ^
      byte32(highs, 256 + g) ^
      byte32(highs, h);
  }
  for (; at < bytes.length; at += 1) {
    const index = (low ^ byte(bytes, at)) & 255;
    low = ((low >>> 8) | (high << 24)) ^ byte32(lows, index);
    high = (high >>> 8) ^ byte32(highs, index);
  }
  return { high: ~high >>> 0, low: ~low >>> 0 };
}

type Tables32 = readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

function tablesOf32(polynomial: number): Tables32 {
  const first = Int32Array.from({ length: 256 }, (_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
  const next = (table: Int32Array): Int32Array => table.map((crc) => (crc >>> 8) ^ byte32(first, crc & 255));
  const t1 = next(first);
  const t2 = next(t1);
  const t3 = next(t2);
  const t4 = next(t3);
  const t5 = next(t4);
  const t6 = next(t5);
  return [first, t1, t2, t3, t4, t5, t6, next(t6)];
}

/** Eight tables in a row, each half by itself. */
function tablesOf64(): { readonly high: Int32Array; readonly low: Int32Array } {
  const high = new Int32Array(2048);
  const low = new Int32Array(2048);
  for (let index = 0; index < 256; index += 1) {
    let [h, l] = [0, index];
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (isOdd) [h, l] = [h ^ NVME.high, l ^ NVME.low];
    }
    [high[index], low[index]] = [h, l];
  }
  for (let index = 256; index < 2048; index += 1) {
    const [h, l] = [byte32(high, index - 256), byte32(low, index - 256)];
    low[index] = ((l >>> 8) | (h << 24)) ^ byte32(low, l & 255);
    high[index] = (h >>> 8) ^ byte32(high, l & 255);
  }
  return { high, low };
}

const POLYNOMIALS = {
  crc32: { bits: 32, polynomial: BigInt(IEEE) },
  crc32c: { bits: 32, polynomial: BigInt(CASTAGNOLI) },
  crc64nvme: { bits: 64, polynomial: (BigInt(NVME.high) << 32n) | BigInt(NVME.low) },
} as const;

/** The checksum of two texts in a row, from those of each and the length of the second. */
export function combineCrc(
  kind: keyof typeof POLYNOMIALS,
  first: bigint,
  second: bigint,
  secondLength: number,
): bigint {
  const { bits, polynomial } = POLYNOMIALS[kind];
  // Appending a zero bit is a linear map; appending many is a power of it.
  let power: bigint[] = [polynomial, ...Array.from({ length: bits - 1 }, (_, bit) => 1n << BigInt(bit))];
  let crc = first;
  for (let left = BigInt(secondLength) * 8n; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) crc = times(power, crc);
    const square = power;
    power = square.map((column) => times(square, column));
  }
  return crc ^ second;
}

function times(matrix: readonly bigint[], vector: bigint): bigint {
  let sum = 0n;
  for (let bit = 0, rest = vector; rest > 0n; bit += 1, rest >>= 1n) if ((rest & 1n) === 1n) sum ^= matrix[bit] ?? 0n;
  return sum;
}
