#!/usr/bin/env node
// Checks an audit bundle of Brickyard with nothing but Node: node verify-bundle.mjs BUNDLE [--keys FILE]
// Every event's hash covers its content and the hash before it; checkpoints are signed hashes; in a hand-over the key that
// signed until then signs the next one, so that one trusted key is enough. What this file does is all there is to it: read
// it, and write your own in another language if you would rather not trust it.
// Exit codes: 0 fine, 1 something was changed, 2 usage, 3 a file cannot be read.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const FORMAT = 'brickyard-audit-1';
const GENESIS = '0'.repeat(64);
const PROBLEMS_MAX = 50;

/** The one text of a JSON value: keys sorted by UTF-16 code units, no whitespace, safe integers only (RFC 8785). */
export function canonical(value) {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new RangeError(`${value} is not a safe integer`);
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

/** SHA-256 over the 32 bytes of the hash before, then every field with its length in bytes before it. */
export function eventHash(previous, ledger, event) {
  const fields = [
    ledger,
    String(event.position),
    event.streamId,
    String(event.streamVersion),
    event.eventId,
    event.type,
    String(event.version),
    event.recordedAt,
    canonical(event.data),
    canonical(event.metadata),
  ];
  const text = fields.map((field) => `${Buffer.byteLength(field)}:${field}`).join('');
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(text).digest('hex');
}

/** The id of a public key: 32 digits of the SHA-256 of its SPKI bytes. */
export function keyId(key) {
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 32);
}

/** Whether a key signed a checkpoint. */
export function isSigned({ ledger, position, hash, at, keyId: id, signature }, key) {
  const bytes = Buffer.from(`brickyard-checkpoint-1\n${canonical({ ledger, position, hash, at, keyId: id })}`);
  return verify(null, bytes, key, Buffer.from(signature, 'base64'));
}

/** What both keys sign of a hand-over. */
export function handOverBytes({ ledger, number, position, hash, at, from, to, publicKey, previous }) {
  const signed = canonical({ ledger, number, position, hash, at, from, to, publicKey, previous });
  return Buffer.from(`brickyard-hand-over-1\n${signed}`);
}

/** Takes the lines of a bundle one by one; `problems` and `summary` tell what came of it. */
export class BundleCheck {
  problems = [];
  summary = { events: 0, handOvers: 0, checkpoints: 0, headHash: GENESIS, vouchedUpTo: 0, keys: [] };
  #header;
  #footer;
  #position = 0;
  #lastCheckpoint = 0;
  #lastHandOver;
  #hashes = new Map();
  #streams = new Map();
  #keys;

  constructor(trustedKeys) {
    this.#trust(trustedKeys);
  }

  take(text, number) {
    try {
      const line = JSON.parse(text);
      this.#expect(this.#footer === undefined, `line ${number} stands after the footer`);
      this.#expect((number === 1) === (line.kind === 'header'), `line ${number}: only the first line is the header`);
      if (line.kind === 'header') this.#begin(line);
      else if (line.kind === 'event') this.#event(line);
      else if (line.kind === 'hand-over') this.#handOver(line);
      else if (line.kind === 'checkpoint') this.#checkpoint(line);
      else if (line.kind === 'footer') this.#footer = line;
      else this.#expect(false, `line ${number} is of an unknown kind`);
    } catch (error) {
      this.#expect(false, `line ${number} is not understood: ${error.message}`);
    }
  }

  end() {
    const { from, to, ledger } = this.#header ?? {};
    const { events, handOvers, checkpoints, headHash } = this.summary;
    const footer = { handOvers: 0, ...this.#footer };
    const counts = { events, handOvers, checkpoints, headHash };
    const isCounted = Object.entries(counts).every(([name, count]) => footer[name] === count);
    this.#expect(this.#position === to, `events ${from} to ${to} are announced, the last one is ${this.#position}`);
    this.#expect(this.#footer !== undefined, 'the bundle has no footer: it was cut off');
    this.#expect(isCounted, 'the counts and the hash of the footer are not those of the lines before it');
    this.summary = { ledger, from, to, ...this.summary, keys: [...(this.#keys?.keys() ?? [])] };
    return this.problems.length === 0;
  }

  /** Keys that are trusted by themselves may sign from the beginning on, until they hand over. */
  #trust(keys) {
    if (keys !== undefined) this.#keys = new Map([...keys].map(([id, key]) => [id, { key, since: 0 }]));
  }

  #begin(header) {
    this.#expect(header.format === FORMAT, `the format is ${header.format}, not ${FORMAT}`);
    const isFirst = header.from === 1;
    this.#expect(!isFirst || header.boundaryHash === GENESIS, 'a ledger begins after 64 zeros, this one does not');
    if (this.#keys === undefined) this.#trust(readKeys(header.keys.map(({ pem }) => pem).join('\n')));
    this.#header = header;
    this.#position = header.from - 1;
    this.summary.headHash = header.boundaryHash;
  }

  #event(event) {
    const { position, streamId, streamVersion, hash } = event;
    const name = `event ${position} (${event.type} of ${streamId})`;
    this.#expect(this.#lastCheckpoint === 0, `${name} stands after a checkpoint, where no event belongs`);
    this.#expect(this.#lastHandOver === undefined, `${name} stands after a hand-over, where no event belongs`);
    this.#expect(position === this.#position + 1, `${name} stands where ${this.#position + 1} belongs`);
    this.summary.events += 1;
    const actual = eventHash(this.summary.headHash, this.#header.ledger, event);
    this.#position = position;
    this.summary.headHash = hash;
    this.#expect(actual === hash, `${name}: recorded hash ${hash}, content and predecessor give ${actual}`);
    const before = this.#streams.get(streamId) ?? (this.#header.from === 1 ? 0 : streamVersion - 1);
    this.#expect(streamVersion === before + 1, `${name}: its stream goes from version ${before} to ${streamVersion}`);
    this.#streams.set(streamId, streamVersion);
    this.#hashes.set(position, hash);
  }

  #handOver(handOver) {
    const { number, position, ledger, hash, from, to, publicKey, previous } = handOver;
    const name = `hand-over ${number} from key ${from} to ${to}`;
    const last = this.#lastHandOver ?? { number: 0, position: 0, digest: GENESIS };
    this.summary.handOvers += 1;
    const old = this.#keys.get(from);
    const fresh = createPublicKey({ key: Buffer.from(publicKey, 'base64'), type: 'spki', format: 'der' });
    const bytes = handOverBytes(handOver);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const isSignedBy = (key, text) => verify(null, bytes, key, Buffer.from(text, 'base64'));
    const isNext = number === last.number + 1 && previous === last.digest && position >= last.position;
    const rules = [
      [isNext, `it stands after number ${last.number}, not after the one it was signed after`],
      [this.#lastCheckpoint === 0, 'it stands after a checkpoint, where none belongs'],
      [ledger === this.#header.ledger, `it is of ledger ${ledger}`],
      [old !== undefined, `key ${from} is not trusted, and no trusted key handed over to it`],
      [old?.until === undefined, `key ${from} had handed over before`],
      [position >= (old?.since ?? 0), `key ${from} was not in office yet at position ${position}`],
      [old === undefined || isSignedBy(old.key, handOver.signature), `the signature is not that of key ${from}`],
      [keyId(fresh) === to && isSignedBy(fresh, handOver.countersignature), `key ${to} has not signed it`],
      [this.#keys.get(to)?.until === undefined, `key ${to} had retired already`],
    ];
    for (const [isSo, problem] of rules) this.#expect(isSo, `${name}: ${problem}`);
    const isTrue = rules.every(([isSo]) => isSo);
    this.#lastHandOver = { number, position, digest };
    const isKept = position < this.#header.from || this.#hashes.get(position) === hash;
    this.#expect(isKept, `${name} vouches for ${hash}, here is ${this.#hashes.get(position) ?? 'no such event'}`);
    if (!isTrue) return;
    old.until = position;
    if (!this.#keys.has(to)) this.#keys.set(to, { key: fresh, since: position });
    if (isKept && position >= this.#header.from)
      this.summary.vouchedUpTo = Math.max(this.summary.vouchedUpTo, position);
  }

  #checkpoint(checkpoint) {
    const { position, ledger, hash, keyId: id } = checkpoint;
    const name = `checkpoint of position ${position}`;
    this.summary.checkpoints += 1;
    this.#expect(position > this.#lastCheckpoint, `${name} stands after that of ${this.#lastCheckpoint}`);
    this.#lastCheckpoint = position;
    const office = this.#keys.get(id);
    const isTrusted = office !== undefined;
    const isTrue = isTrusted && ledger === this.#header.ledger && isSigned(checkpoint, office.key);
    const isInOffice = !isTrusted || (position >= office.since && position <= (office.until ?? position));
    const isKept = this.#hashes.get(position) === hash;
    this.#expect(
      isTrusted,
      `${name}: signed by key ${id}, which is not trusted and which no trusted key handed over to`,
    );
    this.#expect(!isTrusted || isTrue, `${name}: the signature is not that of key ${id} over these values`);
    const term = `from position ${office?.since} to ${office?.until ?? 'now'}`;
    this.#expect(isInOffice, `${name}: signed by key ${id}, which was in office ${term} only`);
    this.#expect(isKept, `${name} vouches for ${hash}, here is ${this.#hashes.get(position) ?? 'no such event'}`);
    if (isTrue && isInOffice && isKept) this.summary.vouchedUpTo = Math.max(this.summary.vouchedUpTo, position);
  }

  #expect(isSo, problem) {
    if (!isSo && this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }
}

/** Public keys of PEM blocks, by id. */
export function readKeys(text) {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? [];
  return new Map(blocks.map((pem) => createPublicKey(pem)).map((key) => [keyId(key), key]));
}

async function main([bundle, flag, keyFile]) {
  if (bundle === undefined || (flag !== undefined && (flag !== '--keys' || keyFile === undefined))) {
    console.error('usage: node verify-bundle.mjs BUNDLE [--keys FILE]');
    return 2;
  }
  const check = new BundleCheck(keyFile === undefined ? undefined : readKeys(readFileSync(keyFile, 'utf8')));
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(bundle), crlfDelay: Infinity }))
    check.take(line, (number += 1));
  const isFine = check.end();
  const { ledger, from, to, events, handOvers, checkpoints, headHash, vouchedUpTo, keys } = check.summary;
  for (const problem of check.problems) console.error(`WRONG  ${problem}`);
  console.log(
    `ledger ${ledger}, events ${from} to ${to}: ${events} events, ${handOvers} hand-overs, ${checkpoints} checkpoints, head ${headHash}`,
  );
  console.log(
    `vouched for up to position ${vouchedUpTo} by ${keyFile === undefined ? "the bundle's own keys (compare their ids with ids you trust, or give --keys)" : 'trusted keys'}: ${keys.join(', ') || 'none'}`,
  );
  console.log(isFine ? 'FINE   every event is the one that was recorded' : `${check.problems.length} problem(s)`);
  return isFine ? 0 : 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).then(
    (code) => (process.exitCode = code),
    (error) => {
      console.error(String(error.message));
      process.exitCode = 3;
    },
  );
}
