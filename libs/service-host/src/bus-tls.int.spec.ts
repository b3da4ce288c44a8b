/** The bus over TLS: whom a service trusts, and whom the server lets in. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type NatsServer, startNats } from '@brickyard/servers';
import { connectBus } from './bus';
import type { Bus } from './bus.port';
import { createLogger } from './logger';

const log = createLogger({ service: 'spec', level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'brickyard-tls-'));
const at = (name: string): string => join(folder, name);
const pem = (name: string): string => readFileSync(at(name), 'utf8');
const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
};

function makeAuthority(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`);
}

function makeCertificate(name: string, authority: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl(
    'req',
    '-new',
    ...key,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
    '-addext',
    'subjectAltName=IP:127.0.0.1',
  );
  const signed = [
    '-CA',
    `${authority}.pem`,
    '-CAkey',
    `${authority}.key`,
    '-CAcreateserial',
    '-copy_extensions',
    'copy',
  ];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`, '-days', '2');
}

describe('the bus over TLS', () => {
  let server: NatsServer;
  const open: Bus[] = [];
  const connect = async (tls: Record<string, string> | undefined): Promise<Bus> => {
    const options = { url: server.url, name: 'spec', log, waitOnFirstConnect: false };
    const bus = await connectBus(tls === undefined ? options : { ...options, tls });
    open.push(bus);
    return bus;
  };

  beforeAll(async () => {
    makeAuthority('authority');
    makeAuthority('stranger');
    makeCertificate('server', 'authority');
    makeCertificate('client', 'authority');
    makeCertificate('intruder', 'stranger');
    const files = `cert_file: "${at('server.pem')}", key_file: "${at('server.key')}", ca_file: "${at('authority.pem')}"`;
    server = await startNats({ storeDir: at('store'), config: `tls { ${files}, verify: true }\n` });
  });

  afterAll(async () => {
    await Promise.all(open.map((bus) => bus.drain()));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const proof = (name: string): Record<string, string> => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });

  it('carries requests', async () => {
    const bus = await connect({ ca: pem('authority.pem'), ...proof('client') });
    bus.respond('question', (payload) => Promise.resolve({ answer: payload }));
    expect(await bus.request('question', 42, { timeoutMs: 2_000 })).toEqual({ answer: 42 });
  });

  it('is not entered by a client that trusts somebody else', async () => {
    await expect(connect({ ca: pem('stranger.pem'), ...proof('client') })).rejects.toThrow('connect to NATS');
  });

  /** What the server says after the greeting, until it hangs up or answers a ping. */
  async function heardOver(proofs: Record<string, string>): Promise<string> {
    const plain = connectTcp(server.port, '127.0.0.1');
    await new Promise((resolve) => plain.once('data', resolve));
    const socket = connectTls({ socket: plain, ca: pem('authority.pem'), host: '127.0.0.1', ...proofs });
    let heard = '';
    socket.on('error', (error: Error) => (heard += error.message));
    socket.write('CONNECT {"verbose":false}\r\nPING\r\n');
    await new Promise<void>((resolve) => {
      socket.once('close', () => {
        resolve();
      });
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        if (heard.includes('PONG')) socket.destroy();
      });
    });
    return heard;
  }

  it('does not let in a client without a certificate, or with one of somebody else', async () => {
    expect(await heardOver(proof('client'))).toContain('PONG');
    expect(await heardOver({})).not.toContain('PONG');
    expect(await heardOver(proof('intruder'))).not.toContain('PONG');
  });

  it('is closed to a client that speaks in the clear', async () => {
    const socket = connectTcp(server.port, '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
    socket.on('error', () => undefined); // Cut off: what this is about.
    socket.write('CONNECT {"verbose":true}\r\nPING\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toContain('"tls_required":true');
    expect(heard).not.toContain('PONG');
  });
});
