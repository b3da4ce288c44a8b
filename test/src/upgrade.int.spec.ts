/**
 * What docs/operating.md says of upgrades, carried out: two releases as `npm run package` packs them, installed side by side;
 * part after part is started anew from the second one while clients go on through one door, and none of their requests fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { dropDatabase, freePort, freshDatabase, startNats, type NatsServer } from '@brickyard/servers';
import { type ApiClient, createApiClient } from '@brickyard/service-host';
import { checkLeader, checkReady, eventually, loadTopology, sampleTopology } from '@brickyard/stack';
import { VolumeInfo } from './answers';
import { type Door, openDoor } from './upgrade/door';
import { type Load, startLoad } from './upgrade/load';
import { type Site, siteBelow, type Unit } from './upgrade/site';

jest.setTimeout(240_000);

const [OLD, NEW] = ['1.0.0', '2.0.0'] as const;
/** For one step, on a machine that does much else. */
const PATIENCE_MS = 60_000;
const CLIENTS = 3;
const ANALYZE = '/usr/bin/systemd-analyze';

describe('an upgrade', () => {
  const units: Unit[] = [];
  /** What was begun, and how to end it; the last one first. */
  const ends: (() => unknown)[] = [];
  let folder: string;
  let site: Site;
  let pgUrl: string;
  let nats: NatsServer;
  let gateways: readonly { readonly unit: Unit; readonly port: number }[];
  let allocators: readonly Unit[];
  let agent: Unit;
  let door: Door;
  let load: Load;
  let api: ApiClient;
  let newRelease: string;

  const start = async (app: string, env: Readonly<Record<string, string>> = {}): Promise<Unit> => {
    const reach = { BRICKYARD_NATS_URL: nats.url, BRICKYARD_PG_URL: pgUrl, BRICKYARD_HEALTH_HOST: '127.0.0.1' };
    const unit = await site.start(app, { ...reach, ...env });
    units.push(unit);
    return unit;
  };
  const ready = ({ app, healthPort }: Unit): Promise<void> =>
    eventually(`${app} is not ready`, PATIENCE_MS, () => checkReady(healthPort));
  const leads = ({ healthPort }: Unit): Promise<boolean> =>
    checkLeader(healthPort).then(
      () => true,
      () => false,
    );
  const leader = (): Promise<Unit> =>
    eventually('no allocator leads', PATIENCE_MS, async () => {
      for (const one of allocators) if (await leads(one)) return one;
      throw new Error('nobody');
    });
  /** Clients have gone on while something was done: so much more was answered since then. */
  const goesOn = async (): Promise<void> => {
    const before = load.answered();
    await eventually('clients get no answers', PATIENCE_MS, () => {
      const isEnough = load.answered() >= before + 2 * CLIENTS || load.failures.length > 0;
      return isEnough ? Promise.resolve() : Promise.reject(new Error('not yet'));
    });
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-upgrade-'));
    site = siteBelow(folder);
    const packed = site.pack(OLD);
    pgUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '', 'upgrade');
    nats = await startNats({ storeDir: join(folder, 'nats') });
    const release = await packed;
    await site.install(release);
    // The same code again under another name: what an upgrade has to do does not depend on what is new in it.
    newRelease = join(folder, `brickyard-${NEW}`);
    await cp(release, newRelease, { recursive: true, verbatimSymlinks: true });
    await writeFile(join(newRelease, 'VERSION'), `${NEW}\n`);
    await site.migrate(pgUrl);
  });

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    for (const unit of units) unit.kill();
    await nats.stop();
    await dropDatabase(pgUrl);
    await rm(folder, { recursive: true, force: true });
  });

  (existsSync(ANALYZE) ? it : it.skip)('brings units that systemd understands to the last word', async () => {
    const said = (files: readonly string[]): string => {
      const { stdout, stderr } = spawnSync(ANALYZE, ['verify', ...files], { encoding: 'utf8' });
      return stdout + stderr;
    };
    expect(site.units()).toHaveLength(5);
    expect(said(site.units())).toBe('');
    const [one = ''] = site.units();
    const wrong = join(folder, basename(one));
    await cp(one, wrong);
    await appendFile(wrong, '\n[Service]\nProtectSytem=strict\n');
    expect(said([wrong])).toContain('ProtectSytem');
  });

  it('begins with a release that runs from the folder it was installed in', async () => {
    const ports = await Promise.all([freePort(), freePort()]);
    // Each waits for what it needs of the others.
    [agent, allocators, gateways] = await Promise.all([
      start('node-agent', { BRICKYARD_AGENT_SIMULATED: '1', BRICKYARD_AGENT_DIR: join(folder, 'agent') }),
      Promise.all([start('allocator'), start('allocator')]),
      Promise.all(
        ports.map(async (port) => {
          const http = { BRICKYARD_HTTP_HOST: '127.0.0.1', BRICKYARD_HTTP_PORT: String(port) };
          return { port, unit: await start('api-gateway', { ...http, BRICKYARD_DISABLE_AUTH: '1' }) };
        }),
      ),
    ]);
    await Promise.all(units.map(ready));
    await leader();
    expect(units.map(({ app, release }) => `${app} ${release}`).sort()).toEqual(
      ['allocator', 'allocator', 'api-gateway', 'api-gateway', 'node-agent'].map((app) => `${app} ${OLD}`),
    );
    door = await openDoor(gateways.map(({ port }) => port));
    ends.push(() => door.close());
    api = createApiClient({ url: door.url, user: 'admin' });
    ends.push(() => {
      api.close();
    });
    const places = ['one', 'two', 'three'].map((name) => ({ name, address: name, devices: ['/dev/sdb', '/dev/sdc'] }));
    expect((await loadTopology(api, sampleTopology(places))).problems).toEqual([]);
    load = startLoad(door.url, CLIENTS);
    ends.push(() => load.stop());
    await goesOn();
  });

  it('leaves alone what runs when the next release is installed and has migrated', async () => {
    await site.install(newRelease);
    await site.migrate(pgUrl);
    await goesOn();
    expect(load.failures).toEqual([]);
    expect(units.map(({ release }) => release)).toEqual(units.map(() => OLD));
  });

  it('goes on with another agent', async () => {
    await agent.restart();
    await ready(agent);
    await goesOn();
    expect(load.failures).toEqual([]);
  });

  it('goes on with other gateways, one after the other behind the same address', async () => {
    for (const { unit } of gateways) {
      await unit.restart();
      await ready(unit);
      await goesOn();
    }
    expect(load.failures).toEqual([]);
  });

  it('goes on with another standby, and then with another leader', async () => {
    const before = await leader();
    for (const standby of allocators.filter((one) => one !== before)) {
      await standby.restart();
      await ready(standby);
    }
    await before.restart();
    await ready(before);
    const after = await leader();
    expect(after).not.toBe(before);
    await goesOn();
    expect(load.failures).toEqual([]);
  });

  it('ends with everything from the next release, and every volume that was asked for made once', async () => {
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(units.map(({ release }) => release)).toEqual(units.map(() => NEW));
    const { volumes } = (await api.get('/volumes')).body as { readonly volumes: readonly string[] };
    const infos = await Promise.all(
      volumes.map(async (id) => VolumeInfo.parse((await api.get(`/volumes/${id}`)).body)),
    );
    expect(infos.map(({ name }) => name).sort()).toEqual([...load.made].sort());
    process.stdout.write(
      `upgrade: ${String(load.answered())} requests answered, ${String(load.made.size)} volumes made, the slowest ` +
        `request took ${(load.slowestMs() / 1_000).toFixed(1)} s, ${String(door.passedOn())} were sent to another gateway\n`,
    );
  });
});
