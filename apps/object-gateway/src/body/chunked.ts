/** `aws-chunked`: a body in chunks that may be signed each, with trailers after the last. */
import { createHash } from 'node:crypto';
import { S3Error } from '../s3-error';

const LINE_MAX = 8 * 1024;
const CHUNK_MAX = 5 * 1024 ** 3;

/** Signs what has arrived, each signature building on the one before; absent for unsigned chunks. */
export interface ChunkSigner {
  ofChunk(sha256: string): string;
  ofTrailer(sha256: string): string;
}

export interface ChunkedOptions {
  readonly signer?: ChunkSigner;
  /** Whether trailers may follow. */
  readonly hasTrailer: boolean;
  readonly onTrailer: (name: string, value: string) => void;
}

const malformed = (what: string): S3Error => new S3Error('InvalidRequest', `The chunked body is malformed: ${what}.`);
const cutShort = (): S3Error => new S3Error('IncompleteBody', 'The body ended before its last chunk.');
const wrong = (): S3Error => new S3Error('SignatureDoesNotMatch', 'The signature of a chunk does not match.');

/** Gives the bytes within; throws what is wrong with the framing or a signature. */
export async function* dechunk(body: AsyncIterable<Buffer>, options: ChunkedOptions): AsyncGenerator<Buffer> {
  const { signer, hasTrailer } = options;
  const reader = new Reader(body[Symbol.asyncIterator]());
  for (;;) {
    const { size, signature } = headOf(await reader.line());
    const hash = signer === undefined ? undefined : createHash('sha256');
    for (let left = size; left > 0;) {
      const bytes = await reader.some(left);
      left -= bytes.length;
      hash?.update(bytes);
      yield bytes;
    }
    if (size > 0 && (await reader.line()) !== '') throw malformed('a chunk does not end where it should');
    if (signer !== undefined && signer.ofChunk(hash?.digest('hex') ?? '') !== signature) throw wrong();
    if (size === 0) break;
  }
  await readTrailers(reader, options, hasTrailer);
  await reader.end();
}

function headOf(line: string): { readonly size: number; readonly signature: string | undefined } {
  const match = /^([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (match?.[1] === undefined) throw malformed('no length of a chunk');
  const size = Number.parseInt(match[1], 16);
  if (size > CHUNK_MAX) throw malformed('a chunk is too large');
  return { size, signature: match[2] };
}

async function readTrailers(reader: Reader, { signer, onTrailer }: ChunkedOptions, hasTrailer: boolean): Promise<void> {
  const signed: string[] = [];
  let signature: string | undefined;
  for (let line = await reader.line(true); line !== ''; line = await reader.line(true)) {
    if (!hasTrailer) throw malformed('trailers that were not announced');
    const at = line.indexOf(':');
    if (at === -1) throw malformed('a trailer without a name');
    const [name, value] = [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
    if (name === 'x-amz-trailer-signature') {
      signature = value;
      continue;
    }
    signed.push(`${name}:${value}\n`);
    onTrailer(name, value);
  }
  if (signer === undefined || !hasTrailer) return;
  const sha256 = createHash('sha256').update(signed.join('')).digest('hex');
  if (signer.ofTrailer(sha256) !== signature) throw wrong();
}

/** Bytes and lines from pieces of any size. */
class Reader {
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly source: AsyncIterator<Buffer>) {}

  /** At most so many bytes, at least one. */
  async some(max: number): Promise<Buffer> {
    if (this.#rest.length === 0 && !(await this.#more())) throw cutShort();
    const bytes = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  /** Up to the next line feed, without the ending; `isEndAllowed` takes the end of the body for an empty line. */
  async line(isEndAllowed = false): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(10);
      if (at !== -1) {
        const line = this.#rest.toString('latin1', 0, at).replace(/\r$/, '');
        this.#rest = this.#rest.subarray(at + 1);
        return line;
      }
      if (this.#rest.length > LINE_MAX) throw malformed('a line is too long');
      if (await this.#more()) continue;
      if (isEndAllowed && this.#rest.length === 0) return '';
      throw cutShort();
    }
  }

  /** Refuses bytes after the end. */
  async end(): Promise<void> {
    if (this.#rest.length > 0 || (await this.#more())) throw malformed('bytes after its end');
  }

  async #more(): Promise<boolean> {
    const next = await this.source.next().catch(() => undefined);
    if (next === undefined || next.done === true) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }
}
