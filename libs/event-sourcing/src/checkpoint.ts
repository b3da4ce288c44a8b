/** Signed heads of a ledger: who rewrites history afterwards, chain and all, cannot make the signature fit. */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json';
import type { ChainEnd } from './event-log';

/** What a checkpoint states, before somebody vouches for it. */
export interface UnsignedCheckpoint extends ChainEnd {
  readonly ledger: string;
  /** ISO 8601, UTC: when it was signed. */
  readonly at: string;
  /** Which key signed; see `keyIdOf`. */
  readonly keyId: string;
}

/** The hash of a ledger at a position, signed with Ed25519. */
export interface Checkpoint extends UnsignedCheckpoint {
  /** Base64; empty when nobody signed. */
  readonly signature: string;
}

/** Public keys that are trusted, by their id. */
export type Keyring = ReadonlyMap<string, KeyObject>;

/** What became of a checkpoint's signature. */
export type SignatureVerdict = 'valid' | 'forged' | 'unknown-key' | 'unsigned';

/** Keeps these signatures apart from any other use of the same key. */
const PURPOSE = 'brickyard-checkpoint-1\n';

/** The id of a key pair: 32 hexadecimal characters of the SHA-256 of its public half, so it cannot be chosen. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 32);
}

/** Signs the end of a ledger with a private Ed25519 key. */
export function signCheckpoint(end: ChainEnd & Pick<Checkpoint, 'ledger' | 'at'>, key: KeyObject): Checkpoint {
  const { ledger, position, hash, at } = end;
  const unsigned = { ledger, position, hash, at, keyId: keyIdOf(key) };
  return { ...unsigned, signature: sign(null, signedBytes(unsigned), key).toString('base64') };
}

/** Whether a trusted key has signed exactly this. */
export function verifyCheckpoint(checkpoint: Checkpoint, trusted: Keyring): SignatureVerdict {
  if (checkpoint.signature === '') return 'unsigned';
  const key = trusted.get(checkpoint.keyId);
  if (key === undefined) return 'unknown-key';
  const isValid = verify(null, signedBytes(checkpoint), key, Buffer.from(checkpoint.signature, 'base64'));
  return isValid ? 'valid' : 'forged';
}

/** The line a checkpoint is in a file. */
export function checkpointLine(checkpoint: Checkpoint): string {
  const { ledger, position, hash, at, keyId, signature } = checkpoint;
  return `${JSON.stringify({ ledger, position, hash, at, keyId, signature })}\n`;
}

/** The checkpoint of a line; undefined when the line is none. */
export function parseCheckpoint(line: string): Checkpoint | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isCheckpoint(value) ? value : undefined;
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== 'object' || value === null) return false;
  const { position, ...texts } = value as Readonly<Record<string, unknown>>;
  const areTexts = ['ledger', 'hash', 'at', 'keyId', 'signature'].every((name) => typeof texts[name] === 'string');
  return areTexts && Number.isSafeInteger(position) && /^[0-9a-f]{64}$/.test(String(texts['hash']));
}

function signedBytes({ ledger, position, hash, at, keyId }: UnsignedCheckpoint): Buffer {
  return Buffer.from(PURPOSE + canonicalJson({ ledger, position, hash, at, keyId }));
}
