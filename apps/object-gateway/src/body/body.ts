/** The body of a request: taken out of its framing, hashed on the way, and checked against all that was said of it. */
import { createHash, type Hash } from 'node:crypto';
import type { Exchange } from '../http/exchange';
import { S3Error } from '../s3-error';
import type { Checksum } from '../store/record';
import { algorithmNamed, ALGORITHMS, type ChecksumAlgorithm, type Hasher, hasherOf, isChecksum } from './checksums';
import { dechunk } from './chunked';

const OBJECT_BYTES_MAX = 5 * 1024 ** 3;
const SHA256 = /^[0-9a-f]{64}$/;
const CHUNKED: Readonly<Record<string, { readonly isSigned: boolean; readonly hasTrailer: boolean }>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { isSigned: true, hasTrailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { isSigned: true, hasTrailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { isSigned: false, hasTrailer: true },
};

/** What a body was. */
export interface BodyFacts {
  readonly size: number;
  /** Hexadecimal. */
  readonly md5: string;
  /** Absent when the client sent none. */
  readonly checksum: Pick<Checksum, 'algorithm' | 'value'> | undefined;
}

export class Body {
  /** Bytes that the client announced. */
  readonly length: number;
  /** In base64, of the header or, later, the trailer. */
  #claimed: string | undefined;
  readonly #algorithm: ChecksumAlgorithm | undefined;
  readonly #hasher: Hasher | undefined;
  readonly #md5 = createHash('md5');
  readonly #sha256: Hash | undefined;
  #size = 0;

  /** `isOfBody` is false where the checksum of a header is of something else than this body. */
  constructor(
    private readonly exchange: Exchange,
    { isOfBody = true }: { readonly isOfBody?: boolean } = {},
  ) {
    const { payload } = exchange.signed;
    const isChunked = Object.hasOwn(CHUNKED, payload);
    if (!isChunked && payload !== 'UNSIGNED-PAYLOAD' && !SHA256.test(payload)) {
      throw new S3Error('InvalidArgument', 'x-amz-content-sha256 is not one of those that are known here.');
    }
    this.length = lengthOf(exchange, isChunked);
    this.#algorithm = isOfBody ? algorithmOf(exchange) : undefined;
    this.#claimed = this.#algorithm === undefined ? undefined : exchange.header(`x-amz-checksum-${this.#algorithm}`);
    if (this.#algorithm !== undefined && this.#claimed !== undefined) checkForm(this.#algorithm, this.#claimed);
    this.#hasher = this.#algorithm === undefined ? undefined : hasherOf(this.#algorithm);
    this.#sha256 = SHA256.test(payload) ? createHash('sha256') : undefined;
    const md5 = exchange.header('content-md5');
    if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
      throw new S3Error('InvalidDigest', 'Content-MD5 is not the base64 of 16 bytes.');
    }
  }

  /** The bytes of the object, once. Throws what is wrong with the framing. */
  async *chunks(): AsyncGenerator<Buffer> {
    this.exchange.accept();
    for await (const chunk of this.#unframed()) {
      this.#size += chunk.length;
      if (this.#size > this.length) throw new S3Error('IncompleteBody', 'More bytes came than were announced.');
      this.#md5.update(chunk);
      this.#sha256?.update(chunk);
      this.#hasher?.update(chunk);
      yield chunk;
    }
  }

  /** All of a small body. */
  async whole(bytesMax: number): Promise<{ readonly bytes: Buffer; readonly facts: BodyFacts }> {
    if (this.length > bytesMax) throw new S3Error('MaxMessageLengthExceeded', 'The request is too large.');
    const chunks: Buffer[] = [];
    for await (const chunk of this.chunks()) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), facts: this.facts() };
  }

  /** When all has been read: throws unless it is what the client said. */
  facts(): BodyFacts {
    if (this.#size !== this.length) throw new S3Error('IncompleteBody', 'Fewer bytes came than were announced.');
    const md5 = this.#md5.digest();
    const claimedMd5 = this.exchange.header('content-md5');
    if (claimedMd5 !== undefined && claimedMd5 !== md5.toString('base64')) {
      throw new S3Error('BadDigest', 'The Content-MD5 is not that of the bytes that came.');
    }
    const sha256 = this.#sha256?.digest('hex');
    if (sha256 !== undefined && sha256 !== this.exchange.signed.payload) {
      throw new S3Error('XAmzContentSHA256Mismatch', 'x-amz-content-sha256 is not that of the bytes that came.');
    }
    return { size: this.#size, md5: md5.toString('hex'), checksum: this.#checksum() };
  }

  #checksum(): BodyFacts['checksum'] {
    const algorithm = this.#algorithm;
    const value = this.#hasher?.digest().toString('base64');
    if (algorithm === undefined || value === undefined) return undefined;
    if (this.#claimed !== undefined && this.#claimed !== value) {
      throw new S3Error('BadDigest', `The ${algorithm.toUpperCase()} is not that of the bytes that came.`);
    }
    return { algorithm, value };
  }

  #unframed(): AsyncIterable<Buffer> {
    const { payload, chunkSigner } = this.exchange.signed;
    const framing = CHUNKED[payload];
    const raw = this.#raw();
    if (framing === undefined) return raw;
    return dechunk(raw, {
      ...(framing.isSigned ? { signer: chunkSigner() } : {}),
      hasTrailer: framing.hasTrailer,
      onTrailer: (name, value) => {
        this.#takeTrailer(name, value);
      },
    });
  }

  /** A client that goes away has sent an incomplete body, whatever the socket says. */
  async *#raw(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.exchange.request) yield chunk as Buffer;
    } catch (error) {
      throw new S3Error('IncompleteBody', 'The connection broke in the middle of the body.', { cause: error });
    }
  }

  #takeTrailer(name: string, value: string): void {
    if (this.#algorithm === undefined || name !== `x-amz-checksum-${this.#algorithm}`) return;
    checkForm(this.#algorithm, value);
    this.#claimed = value;
  }
}

function lengthOf(exchange: Exchange, isChunked: boolean): number {
  const text = isChunked ? exchange.header('x-amz-decoded-content-length') : exchange.header('content-length');
  if (text === undefined) {
    if (exchange.request.headers['transfer-encoding'] === undefined && !isChunked) return 0;
    throw new S3Error('MissingContentLength', 'The length of the body must be told.');
  }
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', 'The length of the body is not a number.');
  if (Number(text) <= OBJECT_BYTES_MAX) return Number(text);
  throw new S3Error('EntityTooLarge', 'At most 5 GiB can be sent at once.', {
    fields: { ProposedSize: text, MaxSizeAllowed: String(OBJECT_BYTES_MAX) },
  });
}

/** At most one: of a header, of an announced trailer, or asked for by name. */
function algorithmOf(exchange: Exchange): ChecksumAlgorithm | undefined {
  const sent = ALGORITHMS.filter((algorithm) => exchange.header(`x-amz-checksum-${algorithm}`) !== undefined);
  const announced = (exchange.header('x-amz-trailer') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
    .map((name) => {
      const algorithm = algorithmNamed(name.replace(/^x-amz-checksum-/, ''));
      if (algorithm !== undefined) return algorithm;
      throw new S3Error('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported');
    });
  const all = [...new Set([...sent, ...announced])];
  if (all.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.');
  return all[0];
}

function checkForm(algorithm: ChecksumAlgorithm, value: string): void {
  if (isChecksum(algorithm, value)) return;
  throw new S3Error('InvalidRequest', `Value for x-amz-checksum-${algorithm} header is invalid.`);
}
