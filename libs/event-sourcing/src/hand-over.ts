/** Signing keys that follow one another: the old key signs the new one, so that trust in the first key reaches the last. */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json';
import { keyIdOf, type Keyring } from './checkpoint';
import type { ChainEnd } from './event-log';
import { GENESIS_HASH } from './hash-chain';
import type { Finding } from './tampering';

/** What both keys sign. Position and hash are the ledger's end at that moment: the old key may sign nothing after it, the new one nothing before. */
export interface UnsignedHandOver extends ChainEnd {
  readonly ledger: string;
  /** Counts the hand-overs of a ledger, from 1. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Ids of the key that goes and of the key that comes. */
  readonly from: string;
  readonly to: string;
  /** The key that comes: SPKI, base64. */
  readonly publicKey: string;
  /** `handOverDigest` of the one before; 64 zeros before the first. */
  readonly previous: string;
}

/** One key's word for the next. */
export interface HandOver extends UnsignedHandOver {
  /** The old key's signature, base64. */
  readonly signature: string;
  /** The new key's, which shows that somebody holds it. */
  readonly countersignature: string;
}

/**
 * What is wrong with hand-overs. `hand-over-forged`: not signed by a key that was in office, or not by both;
 * `hand-over-missing`: one was taken out, or one place has it and another has not; `hand-over-reordered`: they stand in
 * another order than they were made in.
 */
export type HandOverFindingKind = 'hand-over-forged' | 'hand-over-missing' | 'hand-over-reordered';

/** When a key may sign, and why it is believed. */
export interface Office {
  readonly key: KeyObject;
  /** It vouches for nothing before this position; 0 for keys that are trusted by themselves. */
  readonly since: number;
  /** The hand-over it came by; absent for keys that are trusted by themselves. */
  readonly cameBy?: number;
  /** It vouches for nothing after its own hand-over. */
  readonly handedOver?: Pick<HandOver, 'number' | 'position' | 'to'>;
}

/** Keys that may sign, by their id. */
export type Offices = ReadonlyMap<string, Office>;

/** Hand-overs in the order in which they stand at one place. */
export interface HandOverSource {
  /** As a report names it. */
  readonly name: string;
  readonly handOvers: readonly HandOver[];
}

/** Keeps these signatures apart from any other use of the same key. */
const PURPOSE = 'brickyard-hand-over-1\n';
const TEXTS = ['ledger', 'hash', 'at', 'from', 'to', 'publicKey', 'previous', 'signature', 'countersignature'];

/** The old key gives its office to the new one, at an end of the ledger. */
export function signHandOver(
  end: ChainEnd & Pick<HandOver, 'ledger' | 'at'>,
  before: HandOver | undefined,
  keys: { readonly old: KeyObject; readonly fresh: KeyObject },
): HandOver {
  const { ledger, position, hash, at } = end;
  const unsigned: UnsignedHandOver = {
    ledger,
    number: (before?.number ?? 0) + 1,
    position,
    hash,
    at,
    from: keyIdOf(keys.old),
    to: keyIdOf(keys.fresh),
    publicKey: createPublicKey(keys.fresh).export({ type: 'spki', format: 'der' }).toString('base64'),
    previous: before === undefined ? GENESIS_HASH : handOverDigest(before),
  };
  const bytes = signedBytes(unsigned);
  const by = (key: KeyObject): string => sign(null, bytes, key).toString('base64');
  return { ...unsigned, signature: by(keys.old), countersignature: by(keys.fresh) };
}

/** SHA-256 of what the keys signed: what the next hand-over names as `previous`. */
export function handOverDigest(handOver: UnsignedHandOver): string {
  return createHash('sha256').update(signedBytes(handOver)).digest('hex');
}

/** The line a hand-over is in a file of checkpoints. */
export function handOverLine(handOver: HandOver): string {
  return `${JSON.stringify({ kind: 'hand-over', ...plain(handOver) })}\n`;
}

/** The hand-over of a line; undefined when the line is none. */
export function parseHandOver(line: string): HandOver | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isHandOver(value) ? plain(value) : undefined;
}

/** Whose word counts, beginning with the keys that are trusted; and what is wrong with the hand-overs of all places. */
export function followHandOvers(
  sources: readonly HandOverSource[],
  trusted: Keyring | undefined,
): { readonly offices: Offices; readonly findings: readonly Finding<HandOverFindingKind>[] } {
  const findings = sources.flatMap(reordered);
  const known = distinct(sources);
  findings.push(...gaps(known));
  const offices = new Map<string, Office>([...(trusted ?? [])].map(([id, key]) => [id, { key, since: 0 }]));
  if (trusted === undefined) return { offices, findings };
  let last: HandOver | undefined;
  for (const { name, handOver } of known) {
    const why = whyForged(handOver, last, offices);
    if (why === undefined) {
      appoint(offices, handOver);
      last = handOver;
      continue;
    }
    const detail = `${titleOf(name, handOver)}: ${why}`;
    findings.push({ kind: 'hand-over-forged', position: handOver.position, detail });
  }
  return { offices, findings };
}

/** What one place has and another has not. A hand-over needs to be in one of the files only. */
export function compareHandOvers(
  table: HandOverSource,
  files: readonly HandOverSource[],
): Finding<HandOverFindingKind>[] {
  if (files.length === 0) return [];
  const inTable = new Set(table.handOvers.map(contentOf));
  const inFiles = new Set(files.flatMap(({ handOvers }) => handOvers.map(contentOf)));
  const lacks = (where: string, name: string, handOver: HandOver): Finding<HandOverFindingKind> => ({
    kind: 'hand-over-missing',
    position: handOver.position,
    detail: `${titleOf(name, handOver)}: ${where} has it not, or otherwise`,
  });
  const names = files.map(({ name }) => name).join(', ');
  return [
    ...table.handOvers.filter((one) => !inFiles.has(contentOf(one))).map((one) => lacks(names, table.name, one)),
    ...files.flatMap(({ name, handOvers }) =>
      handOvers.filter((one) => !inTable.has(contentOf(one))).map((one) => lacks(table.name, name, one)),
    ),
  ];
}

/** A hand-over as reports name it. */
export const titleOf = (name: string, { number, from, to }: HandOver): string =>
  `hand-over ${String(number)} in ${name}, from key ${from} to ${to}`;

/** Lets a key go and another one come. A key that is trusted by itself stays so from the beginning on. */
function appoint(offices: Map<string, Office>, { number, position, from, to, publicKey }: HandOver): void {
  const old = offices.get(from);
  if (old !== undefined) offices.set(from, { ...old, handedOver: { number, position, to } });
  if (!offices.has(to)) offices.set(to, { key: publicKeyOf(publicKey), since: position, cameBy: number });
}

/** Why a hand-over does not count after the last one that does; undefined when it does. */
function whyForged(handOver: HandOver, last: HandOver | undefined, offices: Offices): string | undefined {
  const { from, to, number, position } = handOver;
  const giver = offices.get(from);
  if (giver === undefined) return `key ${from} is not trusted, and no trusted key handed over to it`;
  if (giver.handedOver !== undefined) {
    return `key ${from} had handed over to ${giver.handedOver.to} before, with number ${String(giver.handedOver.number)}`;
  }
  if (!isSigned(handOver, handOver.signature, giver.key))
    return `the signature is not that of key ${from} over these values`;
  const taker = takerOf(handOver);
  if (taker === undefined) return `the public key in it is not key ${to}`;
  if (!isSigned(handOver, handOver.countersignature, taker)) return `key ${to} has not signed it`;
  if (offices.get(to)?.handedOver !== undefined) return `key ${to} had retired already`;
  if (position < Math.max(giver.since, last?.position ?? 0)) {
    return `its position ${String(position)} is before that of the one before`;
  }
  // After a gap the one before is not known: the gap is told by itself.
  const isNext = number === (last?.number ?? 0) + 1;
  const previous = last === undefined ? GENESIS_HASH : handOverDigest(last);
  return isNext && handOver.previous !== previous ? 'it was signed after another one than stands before it' : undefined;
}

function takerOf({ to, publicKey }: HandOver): KeyObject | undefined {
  try {
    const key = publicKeyOf(publicKey);
    return key.asymmetricKeyType === 'ed25519' && keyIdOf(key) === to ? key : undefined;
  } catch {
    return undefined; // Not a key at all.
  }
}

function publicKeyOf(text: string): KeyObject {
  return createPublicKey({ key: Buffer.from(text, 'base64'), type: 'spki', format: 'der' });
}

function isSigned(handOver: HandOver, signature: string, key: KeyObject): boolean {
  return verify(null, signedBytes(handOver), key, Buffer.from(signature, 'base64'));
}

function reordered({ name, handOvers }: HandOverSource): Finding<HandOverFindingKind>[] {
  return handOvers.flatMap((handOver, index) => {
    const before = handOvers[index - 1]?.number ?? 0;
    if (handOver.number > before) return [];
    const detail = `${titleOf(name, handOver)}: it stands after number ${String(before)}`;
    return [{ kind: 'hand-over-reordered' as const, position: handOver.position, detail }];
  });
}

/** Each content once, by number; of several with one number the place that was read first is asked first. */
function distinct(sources: readonly HandOverSource[]): { readonly name: string; readonly handOver: HandOver }[] {
  const seen = new Set<string>();
  const all = sources.flatMap(({ name, handOvers }) => handOvers.map((handOver) => ({ name, handOver })));
  return all
    .filter(({ handOver }) => {
      const content = contentOf(handOver);
      if (seen.has(content)) return false;
      seen.add(content);
      return true;
    })
    .sort((one, other) => one.handOver.number - other.handOver.number);
}

function gaps(
  known: readonly { readonly name: string; readonly handOver: HandOver }[],
): Finding<HandOverFindingKind>[] {
  return known.flatMap(({ name, handOver }, index) => {
    const { number, position } = handOver;
    const before = known[index - 1]?.handOver.number ?? 0;
    if (number <= before + 1) return [];
    const lost =
      number === before + 2 ? `number ${String(number - 1)}` : `numbers ${String(before + 1)} to ${String(number - 1)}`;
    return [
      { kind: 'hand-over-missing' as const, position, detail: `${titleOf(name, handOver)}: ${lost} before it is gone` },
    ];
  });
}

const contentOf = (handOver: HandOver): string => canonicalJson({ ...plain(handOver) });

function isHandOver(value: unknown): value is HandOver {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const { number, position, hash, previous } = fields;
  const areHashes = [hash, previous].every((one) => /^[0-9a-f]{64}$/.test(String(one)));
  return (
    TEXTS.every((name) => typeof fields[name] === 'string') &&
    areHashes &&
    [number, position].every((one) => Number.isSafeInteger(one) && Number(one) >= 0)
  );
}

/** Its fields and no others, in one order. */
function plain(handOver: HandOver): HandOver {
  const { ledger, number, position, hash, at, from, to, publicKey, previous, signature, countersignature } = handOver;
  return { ledger, number, position, hash, at, from, to, publicKey, previous, signature, countersignature };
}

function signedBytes(handOver: UnsignedHandOver): Buffer {
  const { ledger, number, position, hash, at, from, to, publicKey, previous } = handOver;
  return Buffer.from(PURPOSE + canonicalJson({ ledger, number, position, hash, at, from, to, publicKey, previous }));
}
