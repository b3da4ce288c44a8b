/** A client of a registry that takes the time: layers, small blobs and manifests, pushed and pulled as docker does. */
import { createHash, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

const MIB = 1024 * 1024;
const PIECE = randomBytes(MIB);
const CONNECTIONS = 32;
const MANIFEST_SECONDS = 3;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

interface Answer {
  readonly status: number;
  readonly location: string;
}

/** Sends a request whose body comes from a function, piece by piece. */
function send(
  method: string,
  url: string,
  pieces: readonly Buffer[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const outgoing = request(
      url,
      { method, agent, headers: { 'content-length': String(length), ...headers } },
      (response) => {
        response.resume();
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
        });
      },
    );
    outgoing.once('error', reject);
    let index = 0;
    const write = (): void => {
      while (index < pieces.length) if (!outgoing.write(pieces[index++])) break;
      if (index === pieces.length) outgoing.end();
      else outgoing.once('drain', write);
    };
    write();
  });
}

function expectStatus({ status }: Answer, wanted: number, what: string): void {
  if (status !== wanted) throw new Error(`${what} answered ${String(status)}`);
}

/** The first piece differs in each round, so that nothing is there already. */
function layerOf(mib: number, salt: number): { readonly pieces: Buffer[]; readonly digest: string } {
  const first = Buffer.from(PIECE);
  first.writeUInt32LE(salt, 0);
  first.writeUInt32LE(mib, 4);
  const pieces = [first, ...Array.from({ length: mib - 1 }, () => PIECE)];
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return { pieces, digest: `sha256:${hash.digest('hex')}` };
}

let lastLayer = '';

/** POST, one PATCH, PUT, as docker does; seconds. */
export async function pushLayer(url: string, mib: number, salt: number): Promise<number> {
  const { pieces, digest } = layerOf(mib, salt);
  const from = performance.now();
  await pushPieces(url, pieces, digest);
  lastLayer = digest;
  return (performance.now() - from) / 1_000;
}

async function pushPieces(url: string, pieces: readonly Buffer[], digest: string): Promise<void> {
  const at = (location: string): string => new URL(location, url).href;
  const open = await send('POST', `${url}/v2/bench/blobs/uploads/`, []);
  expectStatus(open, 202, 'POST');
  const patch = await send('PATCH', at(open.location), pieces, { 'content-type': 'application/octet-stream' });
  expectStatus(patch, 202, 'PATCH');
  const location = at(patch.location);
  const put = await send('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, []);
  expectStatus(put, 201, 'PUT');
}

export function pullLayer(url: string): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/v2/bench/blobs/${lastLayer}`, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`pull answered ${String(response.statusCode)}`));
      response.resume();
      response.once('end', () => {
        resolve((performance.now() - from) / 1_000);
      });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** POST and PUT of blobs of their own; seconds for all. */
export async function pushSmall(url: string, count: number, bytes: number, atOnce: number): Promise<number> {
  const from = performance.now();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const blob = randomBytes(bytes);
      const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
      const open = await send('POST', `${url}/v2/bench/blobs/uploads/`, []);
      const location = new URL(open.location, url).href;
      const put = await send('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, [blob], {
        'content-type': 'application/octet-stream',
      });
      expectStatus(put, 201, 'PUT');
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (performance.now() - from) / 1_000;
}

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A manifest of about 8 KiB under the tag `bench`. */
export async function pushManifest(url: string): Promise<void> {
  const config = Buffer.from('{}');
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  await pushPieces(url, [config], digest);
  const entry = { mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length, digest };
  const layer = { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: config.length, digest };
  const layers = Array.from({ length: 48 }, () => layer);
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config: entry, layers }));
  const put = await send('PUT', `${url}/v2/bench/manifests/bench`, [body], { 'content-type': DOCKER_MANIFEST });
  expectStatus(put, 201, 'manifest');
}

/** Requests a second over 32 connections; the client is as thin as it can be, since it takes of the same processors. */
export async function manifestRate(url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const text = `GET /v2/bench/manifests/bench HTTP/1.1\r\nHost: bench\r\nAccept: ${DOCKER_MANIFEST}\r\n\r\n`;
  const from = performance.now();
  const until = from + MANIFEST_SECONDS * 1_000;
  let count = 0;
  const one = (): Promise<void> =>
    new Promise((done, fail) => {
      const socket = connect(Number(port), hostname);
      let missing = 0;
      socket.once('error', fail);
      socket.on('connect', () => socket.write(text));
      socket.on('data', (chunk) => {
        if (missing === 0) {
          const head = chunk.indexOf('\r\n\r\n');
          const length = Number(/content-length: (\d+)/i.exec(chunk.toString('latin1', 0, head))?.[1] ?? Number.NaN);
          if (Number.isNaN(length) || chunk[9] !== 0x32) {
            fail(new Error('not an answer of 200 with a length'));
            socket.destroy();
            return;
          }
          missing = length + head + 4;
        }
        missing -= chunk.length;
        if (missing > 0) return;
        count += 1;
        if (performance.now() < until) socket.write(text);
        else {
          socket.destroy();
          done();
        }
      });
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  return count / ((performance.now() - from) / 1_000);
}
