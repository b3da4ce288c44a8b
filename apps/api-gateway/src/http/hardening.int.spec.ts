/** What somebody on the network may try against the API, and what becomes of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { signRequest } from '@brickyard/service-host';
import { smallCluster } from '../testing/events';
import { GatewayUnderTest } from '../testing/gateway-under-test';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Call {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly ca?: string;
}

function ask(url: string, { method = 'GET', body = '', headers = {}, ca }: Call = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: false as const,
    };
    const call = url.startsWith('https:') ? httpsRequest(url, { ...options, ca }) : httpRequest(url, options);
    call.once('error', reject);
    call.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    call.end(body);
  });
}

/** Sends bytes as they are; resolves with all that comes back before the connection ends. */
function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined); // Cut off while it still sends: what came before counts.
    socket.once('close', () => {
      resolve(text);
    });
    socket.write(bytes);
  });
}

describe('the API over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-api-tls-'));
  let under: GatewayUnderTest;
  let ca: string;
  let port: number;

  beforeAll(async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-days', '1', ...made, ...subject], { stdio: 'ignore' });
    ca = readFileSync(cert, 'utf8');
    under = await GatewayUnderTest.start({ BRICKYARD_TLS_CERT_FILE: cert, BRICKYARD_TLS_KEY_FILE: key });
    port = Number(new URL(under.gateway.url).port);
  });
  afterAll(async () => {
    await under.stop();
    rmSync(folder, { recursive: true });
  });

  it('is answered to those who trust its authority, and tells browsers to come back this way only', async () => {
    const answer = await ask(`https://localhost:${String(port)}/hello`, { ca });
    expect([answer.status, answer.headers['strict-transport-security']]).toEqual([200, 'max-age=31536000']);
  });

  it('is not spoken to by a client that does not know the authority', async () => {
    await expect(ask(`https://localhost:${String(port)}/hello`)).rejects.toThrow(/self.signed/i);
  });

  it('gives nothing away in the clear', async () => {
    expect(await sendRaw(port, 'GET /hello HTTP/1.1\r\nhost: x\r\n\r\n')).not.toContain('Hello');
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('does not speak %s', async (version) => {
    const speak = new Promise((resolve, reject) => {
      const options = { host: 'localhost', port, ca, minVersion: version, maxVersion: version };
      // Without the second, our own side would refuse before the server is asked.
      const socket = connectTls({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.once('error', reject);
    });
    await expect(speak).rejects.toThrow(/alert protocol version|alert handshake failure|ECONNRESET/i);
  });
});

describe('every answer of the API', () => {
  let under: GatewayUnderTest;
  let url: string;

  beforeAll(async () => {
    under = await GatewayUnderTest.start({
      BRICKYARD_DISABLE_AUTH: '0',
      BRICKYARD_ADMIN_KEY: 'a',
      BRICKYARD_USER_KEY: 'u',
    });
    url = under.gateway.url;
    await under.record(...smallCluster());
  });
  afterAll(() => under.stop());

  it.each([
    [200, 'GET', '/clusters'],
    [404, 'GET', '/nosuch'],
    [405, 'PUT', '/clusters'],
    [301, 'GET', '/clusters/'],
    [422, 'POST', '/volumes'],
    [401, 'GET', '/clusters'],
  ])('tells browsers to do nothing with it: %i', async (status, method, path) => {
    const token = signRequest('admin', 'a', method, path, Math.floor(Date.now() / 1_000));
    const headers = status === 401 ? {} : { authorization: `bearer ${token}` };
    const answer = await ask(`${url}${path}`, { method, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
    });
    const isPage = String(answer.headers['content-type']).startsWith('text/html');
    if (!isPage) expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.headers).not.toHaveProperty('server');
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    // In the clear there is nothing to come back to.
    expect(answer.headers).not.toHaveProperty('strict-transport-security');
  });

  it('refuses headers of more than 16 KiB', async () => {
    const port = Number(new URL(url).port);
    const told = await sendRaw(port, `GET /hello HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(told).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each([
    ['two lengths', 'POST /volumes HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
    [
      'a length and chunks',
      'POST /volumes HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no host', 'GET /hello HTTP/1.1\r\n\r\n'],
    ['a line break in a header', 'GET /hello HTTP/1.1\r\nhost: x\r\nx-a: b\nx-c\r\n\r\n'],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01'],
  ])('does not guess what is meant by %s', async (_, bytes) => {
    const told = await sendRaw(Number(new URL(url).port), bytes);
    expect(told).toMatch(/^HTTP\/1\.1 400 /);
    expect(told).not.toMatch(/node_modules|\.js:|Error:/);
  });

  it('says nothing of its inside when a token is nonsense', async () => {
    for (const token of ['', 'a.b.c', `${'a'.repeat(4_000)}.b.c`, 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJhZG1pbiJ9.']) {
      const answer = await ask(`${url}/clusters`, { headers: { authorization: `bearer ${token}` } });
      expect([400, 401]).toContain(answer.status);
      expect(answer.text.length).toBeLessThan(300);
      expect(answer.text).not.toMatch(/node_modules|\.js:|\bat /);
    }
  });
});

describe('the rate limit of the API', () => {
  let under: GatewayUnderTest;

  beforeAll(async () => {
    under = await GatewayUnderTest.start({ BRICKYARD_REQUESTS_PER_SECOND: '2' });
  });
  afterAll(() => under.stop());

  it('refuses an address that asks too much with 429, and says when to ask again', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(`${under.gateway.url}/hello`)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect(refused[0]?.text).toBe('more than 2 requests a second from 127.0.0.1\n');
  });
});
