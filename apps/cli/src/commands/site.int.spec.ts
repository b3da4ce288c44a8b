/** `brickyard site secrets` as docs/operating.md has operators use it: made, asked for again, and a NATS cluster of it. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, type NatsServer, startNats } from '@brickyard/servers';
import { type Bus, connectBus, createLogger } from '@brickyard/service-host';
import { runCli } from '../cli';
import { EXIT } from '../exit-codes';

const log = createLogger({ service: 'spec', level: 'silent' });
const OPERATING = join(__dirname, '../../../../docs/operating.md');

describe('site secrets', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'brickyard-site-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
  const make = async (...flags: string[]): Promise<void> => {
    const tell = (): void => undefined;
    const argv = ['site', 'secrets', '--directory', folder, '--node', 'host1', ...flags];
    expect(await runCli(argv, { env: {}, out: tell, err: tell })).toBe(EXIT.fine);
  };

  it('asked for again with less, changes nothing that was said before', async () => {
    await make('--postgres', 'db:5433/x?sslmode=require', '--nats-name', 'n1', '10.0.0.1', '--api-name', 'api', '::1');
    const before = [text('nats/nats-cert.pem'), text('gateway/tls-cert.pem'), text('gateway/pg-url')];
    expect(before[2]).toContain('@db:5433/x?sslmode=require');
    await make('--node', 'host1', 'host2');
    expect([text('nats/nats-cert.pem'), text('gateway/tls-cert.pem'), text('gateway/pg-url')]).toEqual(before);
    expect(text('nats/nats.conf')).toContain('"agent-host2"');
  });

  it.each(['--nats-name n1 n2', '--nats-name n1'])(
    'makes a certificate anew when its names are others: %s',
    async (names) => {
      await make('--nats-name', 'n1', 'n3');
      await make(...names.split(' '));
      const { subjectAltName } = new X509Certificate(text('nats/nats-cert.pem'));
      expect(subjectAltName?.split(', ')).toEqual(
        names
          .split(' ')
          .slice(1)
          .map((name) => `DNS:${name}`),
      );
    },
  );

  it('makes a certificate anew that soon ends', async () => {
    await make('--nats-name', 'n1');
    const before = new X509Certificate(text('nats/nats-cert.pem'));
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.parse(before.validTo) - 80 * 86_400_000);
    await make();
    clock.mockRestore();
    const after = new X509Certificate(text('nats/nats-cert.pem'));
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(after.subjectAltName).toBe('DNS:n1');
    expect(after.verify(new X509Certificate(text('nats/ca.pem')).publicKey)).toBe(true);
  });

  it('gives the servers of a NATS cluster what they join by, as the document configures it', async () => {
    await make('--nats-name', 'localhost', '127.0.0.1');
    const ports = [await freePort(), await freePort(), await freePort()];
    const [, block = ''] =
      /^include "nats\.conf"\nserver_name: nats-1\n([^]*?)```/m.exec(readFileSync(OPERATING, 'utf8')) ?? [];
    const joined = block
      .replace(/nats-(\d)\.example:6222/g, (_, number: string) => `localhost:${String(ports[Number(number) - 1])}`)
      .replaceAll('"./', `"${join(folder, 'nats')}/`);
    const accounts = text('nats/nats.conf').replaceAll('"./', `"${join(folder, 'nats')}/`);
    const servers: NatsServer[] = [];
    let bus: Bus | undefined;
    try {
      for (const [index, port] of ports.entries()) {
        const listen = joined.replace('0.0.0.0:6222', `127.0.0.1:${String(port)}`);
        const store = join(folder, `store-${String(index)}`);
        const config = `${accounts.replace('/var/lib/nats', store)}\nserver_name: nats-${String(index + 1)}\n${listen}`;
        servers.push(await startNats({ storeDir: store, config }));
      }
      bus = await connectBus({
        url: servers.map(({ port }) => `tls://localhost:${String(port)}`).join(','),
        name: 'spec',
        log,
        user: 'allocator',
        password: text('allocator/nats-password').trim(),
        tls: { ca: text('allocator/ca.pem') },
      });
      const tasks = { name: 'TASKS', subjects: ['agents.*.tasks'], retention: 'workqueue', replicas: 3 } as const;
      const cluster = bus;
      // A stream of three copies is there when three servers have found each other.
      await eventually(() => cluster.ensureStream(tasks));
    } finally {
      await bus?.drain();
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});
