/** Another registry over real HTTP that does what a spec tells it, faults included, and remembers what it was asked. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export const IMAGE_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const sha256 = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Does something else than answer; false: answer as usual. */
export type Script = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** Content by path below `/v2/`. */
export class ScriptedUpstream {
  readonly asked: Asked[] = [];
  readonly #content = new Map<string, { readonly bytes: Buffer; readonly type: string }>();
  script: Script = () => false;

  private constructor(
    private readonly server: Server,
    private readonly protocol: 'http' | 'https',
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const path = request.url ?? '';
      this.asked.push({ method: request.method ?? '', path, headers: request.headers });
      if (!this.script(request, response)) this.answer(request, response);
    });
  }

  /** Over TLS when it is given a key and a certificate. */
  static async start(tls?: { readonly key: Buffer; readonly cert: Buffer }): Promise<ScriptedUpstream> {
    const server = tls === undefined ? createServer() : createSecureServer(tls);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return new ScriptedUpstream(server, tls === undefined ? 'http' : 'https');
  }

  get url(): string {
    return `${this.protocol}://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  /** What was asked, as `GET library/app/manifests/v1`. */
  get questions(): readonly string[] {
    return this.asked.map(({ method, path }) => `${method} ${path.replace('/v2/', '')}`);
  }

  blob(repository: string, bytes: Buffer): string {
    const digest = sha256(bytes);
    this.#content.set(`/v2/${repository}/blobs/${digest}`, { bytes, type: 'application/octet-stream' });
    return digest;
  }

  /** A manifest under its digest and a tag. */
  manifest(repository: string, tag: string, text: string, type = IMAGE_TYPE): string {
    const bytes = Buffer.from(text);
    const digest = sha256(bytes);
    for (const reference of [tag, digest])
      this.#content.set(`/v2/${repository}/manifests/${reference}`, { bytes, type });
    return digest;
  }

  /** An image with one layer. */
  image(
    repository: string,
    tag: string,
    layer: Buffer,
  ): { readonly digest: string; readonly layer: string; readonly text: string } {
    const config = Buffer.from('{}');
    const named = (bytes: Buffer, mediaType: string) => ({
      mediaType,
      digest: this.blob(repository, bytes),
      size: bytes.length,
    });
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: IMAGE_TYPE,
      config: named(config, 'application/vnd.oci.image.config.v1+json'),
      layers: [named(layer, 'application/vnd.oci.image.layer.v1.tar')],
    });
    return { digest: this.manifest(repository, tag, text), layer: sha256(layer), text };
  }

  remove(repository: string, tag: string): void {
    this.#content.delete(`/v2/${repository}/manifests/${tag}`);
  }

  /** As a registry would. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const found = this.#content.get(request.url ?? '');
    if (found === undefined) {
      const code = (request.url ?? '').includes('/blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code }] }));
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const { bytes, type } = found;
    const part = bytes.subarray(from);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-type': type,
      'content-length': part.length,
      'docker-content-digest': sha256(bytes),
      ...(from === 0
        ? {}
        : { 'content-range': `bytes ${String(from)}-${String(bytes.length - 1)}/${String(bytes.length)}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : part);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
