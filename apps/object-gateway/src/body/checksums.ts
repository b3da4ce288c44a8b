/** The checksums that a client may send along, of an object and of its parts. */
import { createHash } from 'node:crypto';
import type { Checksum } from '../store/record';
import { combineCrc, crc32, crc32c, crc64nvme, type Halves } from './crc';

export type ChecksumAlgorithm = Checksum['algorithm'];

/** Takes bytes in order. */
export interface Hasher {
  update(chunk: Buffer): void;
  digest(): Buffer;
}

const LENGTHS: Readonly<Record<ChecksumAlgorithm, number>> = {
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  sha1: 20,
  sha256: 32,
};
export const ALGORITHMS = Object.keys(LENGTHS) as readonly ChecksumAlgorithm[];

export const algorithmNamed = (name: string): ChecksumAlgorithm | undefined =>
  ALGORITHMS.find((algorithm) => algorithm === name.toLowerCase());

export function hasherOf(algorithm: ChecksumAlgorithm): Hasher {
  switch (algorithm) {
    case 'crc32':
      return hasherOf32(crc32);
    case 'crc32c':
      return hasherOf32(crc32c);
    case 'crc64nvme':
      return hasherOf64();
    case 'sha1':
    case 'sha256': {
      const hash = createHash(algorithm);
      return {
        update: (chunk) => {
          hash.update(chunk);
        },
        digest: () => hash.digest(),
      };
    }
  }
}

function hasherOf32(step: (bytes: Buffer, before: number) => number): Hasher {
  let crc = 0;
  return {
    update: (chunk) => {
      crc = step(chunk, crc);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(crc);
      return bytes;
    },
  };
}

function hasherOf64(): Hasher {
  let crc: Halves = { high: 0, low: 0 };
  return {
    update: (chunk) => {
      crc = crc64nvme(chunk, crc);
    },
    digest: () => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(crc.high, 0);
      bytes.writeUInt32BE(crc.low, 4);
      return bytes;
    },
  };
}

/** Whether a text is a value of the algorithm, in base64. */
export function isChecksum(algorithm: ChecksumAlgorithm, value: string): boolean {
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === LENGTHS[algorithm] && bytes.toString('base64') === value;
}

interface PartChecksum {
  readonly value: string;
  readonly size: number;
}

/** The checksum of the checksums of the parts, and how many they are. */
export function compositeOf(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): string {
  const hasher = hasherOf(algorithm);
  for (const { value } of parts) hasher.update(Buffer.from(value, 'base64'));
  return `${hasher.digest().toString('base64')}-${String(parts.length)}`;
}

/** The checksum of the whole, from those of the parts; undefined where the algorithm does not allow that. */
export function wholeOf(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): string | undefined {
  if (algorithm === 'sha1' || algorithm === 'sha256') return undefined;
  const length = LENGTHS[algorithm];
  const whole = parts.reduce(
    (sum, { value, size }) =>
      combineCrc(algorithm, sum, BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`), size),
    0n,
  );
  return Buffer.from(whole.toString(16).padStart(length * 2, '0'), 'hex').toString('base64');
}
