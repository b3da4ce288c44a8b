/** A client of S3 for specs, with a signature of its own making: nothing of the gateway's is used. */
import { createHash, createHmac } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export const KEYS = { accessKey: 'spec-key', secretKey: 'spec-secret-of-many-letters' };
const SCOPE = '/us-east-1/s3/aws4_request';

export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface S3Call {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Sends the body in signed chunks of this many bytes, or unsigned ones. */
  readonly chunked?: {
    readonly size: number;
    readonly isSigned: boolean;
    readonly trailer?: readonly [string, string];
  };
  /** Changes what is sent after it was signed. */
  readonly tamper?: (sent: Buffer) => Buffer;
  /** Cuts the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  readonly keys?: { readonly accessKey: string; readonly secretKey: string };
}

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const escape = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) => String.fromCharCode(byte))
    .map((one) =>
      /[A-Za-z0-9_.~-]/.test(one) ? one : `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');

/** Sends a request to `/bucket/key`. */
export async function s3(url: string, method: string, path: string, call: S3Call = {}): Promise<S3Answer> {
  const { query = {}, body = '', keys = KEYS, chunked } = call;
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const content = Buffer.from(body);
  const payload = payloadOf(content, chunked);
  const headers: Record<string, string> = {
    host: new URL(url).host,
    'x-amz-content-sha256': payload,
    'x-amz-date': time,
    ...(chunked === undefined ? {} : { 'x-amz-decoded-content-length': String(content.length) }),
    ...(chunked?.trailer === undefined ? {} : { 'x-amz-trailer': chunked.trailer[0] }),
    ...call.headers,
  };
  const names = Object.keys(headers)
    .map((name) => name.toLowerCase())
    .sort();
  const canonicalPath = path.split('/').map(escape).join('/');
  const canonicalQuery = Object.entries(query)
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .sort()
    .join('&');
  const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const canonical = [
    ...[method, canonicalPath, canonicalQuery, ...names.map((name) => `${name}:${lowered[name] ?? ''}`)],
    ...['', names.join(';'), payload],
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, date + SCOPE, sha256(canonical)].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${keys.secretKey}`, date), 'us-east-1'), 's3'), 'aws4_request');
  const signature = hmac(key, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${date}${SCOPE}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const framed =
    chunked === undefined ? content : frame(content, chunked, { key, time, scope: date + SCOPE, signature });
  const sent = call.tamper?.(framed) ?? framed;
  return send(url, method, `${canonicalPath}${canonicalQuery === '' ? '' : `?${canonicalQuery}`}`, {
    headers: { ...headers, authorization, 'content-length': String(sent.length) },
    body: sent,
    cutAfter: call.cutAfter,
  });
}

function payloadOf(content: Buffer, chunked: S3Call['chunked']): string {
  if (chunked === undefined) return sha256(content);
  if (!chunked.isSigned) return 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  return `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${chunked.trailer === undefined ? '' : '-TRAILER'}`;
}

function frame(
  content: Buffer,
  { size, isSigned, trailer }: NonNullable<S3Call['chunked']>,
  { key, time, scope, signature }: { key: Buffer; time: string; scope: string; signature: string },
): Buffer {
  const pieces: Buffer[] = [];
  let before = signature;
  const sign = (kind: string, ...rest: string[]): string =>
    (before = hmac(key, [`AWS4-HMAC-SHA256-${kind}`, time, scope, before, ...rest].join('\n')).toString('hex'));
  for (let at = 0; ; at += size) {
    const chunk = content.subarray(at, at + size);
    const mark = isSigned ? `;chunk-signature=${sign('PAYLOAD', sha256(''), sha256(chunk))}` : '';
    pieces.push(Buffer.from(`${chunk.length.toString(16)}${mark}\r\n`), chunk);
    if (chunk.length === 0) break;
    pieces.push(Buffer.from('\r\n'));
  }
  if (trailer !== undefined) {
    const line = `${trailer[0]}:${trailer[1]}`;
    pieces.push(Buffer.from(`${line}\r\n`));
    if (isSigned) pieces.push(Buffer.from(`x-amz-trailer-signature:${sign('TRAILER', sha256(`${line}\n`))}\r\n`));
  }
  pieces.push(Buffer.from('\r\n'));
  return Buffer.concat(pieces);
}

interface Sending {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly cutAfter: number | undefined;
}

function send(url: string, method: string, path: string, { headers, body, cutAfter }: Sending): Promise<S3Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const request = httpRequest({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const all = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, text: all.toString('utf8') });
      });
    });
    request.on('error', reject);
    if (cutAfter === undefined) request.end(body);
    else request.write(body.subarray(0, cutAfter), () => request.destroy(new Error('cut')));
  });
}

/** The texts of all elements of a name. */
export const texts = ({ text }: S3Answer, name: string): readonly string[] =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, value = '']) => value);
