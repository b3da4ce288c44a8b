/**
 * A release as an operator installs it (docs/operating.md, "Real hosts"), started, killed, restarted and stopped by a real
 * systemd, as confined as its units say: everything on one machine with a real glusterd.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@brickyard/stack';
import { bootMachine, type Machine, MACHINE_PREFIX, machineIn } from './machine/machine';
import { canHoldMachine, makeMachine } from './machine/release';
import { folderFor } from './prepared';

const PREPARING_MS = 900_000;
const PATIENCE_MS = 180_000;
const LOG_LINES = 25;
const SITE = '/root/site';

/** Each with the port of its health, as it is shipped. */
const HEALTH: Readonly<Record<string, number>> = {
  'brickyard-allocator': 9101,
  'brickyard-api-gateway': 9102,
  'brickyard-node-agent': 9103,
  'brickyard-registry-backend': 5000,
  'brickyard-object-gateway': 9001,
};
const UNITS = Object.keys(HEALTH);

/** The steps of the document; the names in the settings as they are shipped lead to this machine. */
const INSTALL: Readonly<Record<string, string>> = {
  'names and address of the machine': `
    ip address add 10.99.0.1/32 dev lo
    echo '10.99.0.1 host1 nats.example db.example api.example gateway.example' >> /etc/hosts`,
  'install, make secrets': `
    /root/release/install
    brickyard site secrets --directory ${SITE} --node host1 --postgres db.example:5432/brickyard \\
      --nats-name nats.example --api-name api.example gateway.example`,
  'Postgres of Debian': `
    pg_lsclusters --no-header | grep -q . || pg_createcluster 15 main
    echo "listen_addresses = '*'" > /etc/postgresql/15/main/conf.d/brickyard.conf
    echo 'host brickyard all 10.99.0.1/32 scram-sha-256' >> /etc/postgresql/15/main/pg_hba.conf
    systemctl restart postgresql
    until runuser -u postgres -- psql -qc 'SELECT 1' >/dev/null 2>&1; do sleep 0.2; done
    runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 <<< "
      CREATE ROLE brickyard LOGIN CREATEROLE PASSWORD '$(cat ${SITE}/postgres/owner-password)';
      CREATE DATABASE brickyard OWNER brickyard;"`,
  'NATS of Debian': `
    cp -r ${SITE}/nats /etc/brickyard/nats && chown -R nats:nats /etc/brickyard/nats
    mkdir -p /etc/systemd/system/nats-server.service.d
    cat > /etc/systemd/system/nats-server.service.d/brickyard.conf <<'END'
[Service]
WorkingDirectory=/etc/brickyard/nats
StateDirectory=nats
ExecStart=
ExecStart=/usr/sbin/nats-server -c nats.conf
END
    systemctl daemon-reload && systemctl restart nats-server`,
  'the migration of the database': `
    cd ${SITE} && BRICKYARD_PG_OWNER_URL_FILE=migrate/pg-owner-url \\
      BRICKYARD_PG_ALLOCATOR_PASSWORD_FILE=migrate/pg-allocator-password \\
      BRICKYARD_PG_GATEWAY_PASSWORD_FILE=migrate/pg-gateway-password \\
      BRICKYARD_PG_REGISTRY_PASSWORD_FILE=migrate/pg-registry-password \\
      node /opt/brickyard/current/apps/allocator/dist/migrate.main.js`,
  'folders of the site': `
    for part in allocator gateway registry objects; do cp -r ${SITE}/$part /etc/brickyard/$part; done
    cp -r ${SITE}/node-host1 /etc/brickyard/node
    chmod 700 /etc/brickyard/{allocator,gateway,registry,objects,node}`,
  // A kernel without device-mapper has no LVM.
  'settings of this machine': `
    echo BRICKYARD_BRICK_DRIVER=loop-xfs >> /etc/brickyard/node-agent.env
    sed -i 's/SIZE_GIB=.*/SIZE_GIB=1/' /etc/brickyard/{registry-backend,object-gateway}.env
    echo BRICKYARD_REGISTRY_VOLUME=images >> /etc/brickyard/registry-backend.env
    echo BRICKYARD_OBJECTS_VOLUME=objects >> /etc/brickyard/object-gateway.env
    mkdir -p /var/lib/devices && truncate --size 12G /var/lib/devices/disk1`,
  'Gluster, and the units': `
    systemctl enable --now glusterd
    systemctl enable --now brickyard-allocator brickyard-api-gateway brickyard-node-agent`,
};

(canHoldMachine() ? describe : describe.skip)('a release under systemd', () => {
  jest.setTimeout(PREPARING_MS);
  const { folder, isMade } = folderFor(MACHINE_PREFIX);
  let machine: Machine;

  beforeAll(async () => {
    machine = await bootMachine(isMade ? machineIn(folder) : await makeMachine(folder));
  });

  afterAll(async () => {
    const left = await machine.end();
    rmSync(folder, { recursive: true, force: true });
    expect(left).toEqual([]);
  });

  const brickyard = (words: string): Promise<string> =>
    machine.run(`brickyard --server https://api.example:8080 --user admin --secret "$(cat ${SITE}/operator/admin-key)" \\
      --tls-cert ${SITE}/operator/ca.pem ${words}`);
  const property = async (unit: string, name: string): Promise<string> =>
    (await machine.run(`systemctl show --value --property ${name} ${unit}`)).trim();
  const untilReady = async (...units: readonly string[]): Promise<void> => {
    for (const unit of units)
      await eventually(`${unit} is not ready`, PATIENCE_MS, () =>
        machine.run(`systemctl is-active -q ${unit} && curl -sf -m 20 localhost:${String(HEALTH[unit])}/health/ready`),
      ).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await journalOf(unit)}`, { cause: error });
      });
  };
  const journalOf = (unit: string): Promise<string> =>
    machine.run(`systemctl status --no-pager ${unit} || true
      journalctl --no-pager -o cat -n ${String(LOG_LINES)} -u ${unit}`);

  it('is installed as the document says, and its units become active and ready', async () => {
    for (const [step, script] of Object.entries(INSTALL)) {
      await machine.run(script).catch((error: unknown) => {
        throw new Error(`${step}: ${String(error)}`, { cause: error });
      });
    }
    await untilReady('brickyard-allocator', 'brickyard-api-gateway', 'brickyard-node-agent');
  });

  it('makes a volume that is mounted', async () => {
    const host = { hostnames: { manage: ['host1'], storage: ['host1'] }, zone: 1 };
    const topology = { clusters: [{ nodes: [{ node: host, devices: ['/var/lib/devices/disk1'] }] }] };
    await machine.run(`cat > /root/topology.json <<< '${JSON.stringify(topology)}'`);
    await brickyard('topology load --json /root/topology.json');
    await brickyard('volume create --name first --size 1 --durability none');
    await machine.run(
      `mkdir -p /mnt/first && mount -t glusterfs host1:/first /mnt/first && echo kept > /mnt/first/file`,
    );
    expect(await machine.run('cat /proc/mounts')).toMatch(/\/dev\/loop\d+ \/var\/lib\/heketi\/mounts\/\S+ xfs/);
  });

  it('stores images and objects on volumes that their services mount themselves', async () => {
    // They would ask for three copies, which take three hosts.
    for (const name of ['images', 'objects'])
      await brickyard(`volume create --name ${name} --size 1 --durability none`);
    await machine.run('systemctl enable --now brickyard-registry-backend brickyard-object-gateway');
    await untilReady(...UNITS);
    await machine.run(`cd /root && mkdir -p image/blobs/sha256 && head -c 300000 /dev/urandom > layer.tar
      digest() { sha256sum "$1" | cut -d ' ' -f 1; }
      put() { cp "$1" image/blobs/sha256/$(digest "$1"); printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" $(digest "$1") $(stat -c %s "$1"); }
      layer=$(put layer.tar application/vnd.oci.image.layer.v1.tar)
      echo '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:'$(digest layer.tar)'"]}}' > config
      config=$(put config application/vnd.oci.image.config.v1+json)
      echo '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":'$config',"layers":['$layer']}' > manifest
      echo '{"schemaVersion":2,"manifests":['$(put manifest application/vnd.oci.image.manifest.v1+json)']}' > image/index.json
      echo '{"imageLayoutVersion":"1.0.0"}' > image/oci-layout
      skopeo copy --quiet --dest-tls-verify=false oci:image docker://localhost:5000/box:1`);
    await machine.run(`cat > /root/s3cmd <<END
[default]
host_base = localhost:9000
host_bucket = localhost:9000
use_https = False
access_key = $(cat ${SITE}/objects/access-key)
secret_key = $(cat ${SITE}/objects/secret-key)
END
      s3cmd -c /root/s3cmd --quiet mb s3://box && s3cmd -c /root/s3cmd --quiet put /root/layer.tar s3://box/layer.tar`);
  });

  it.each(UNITS)('%s comes back after kill -9 and after a restart, and nothing is lost', async (unit) => {
    for (const how of ['kill --signal KILL', 'restart']) {
      const before = await property(unit, 'MainPID');
      await machine.run(`systemctl ${how} ${unit}`);
      await eventually(`${unit} is not started again`, PATIENCE_MS, async () => {
        expect(['0', before]).not.toContain(await property(unit, 'MainPID'));
      });
      await untilReady(...UNITS);
    }
    expect(await brickyard('volume list')).toMatch(/first/);
    expect(await machine.run('cat /mnt/first/file')).toBe('kept\n');
    expect(
      await machine.run('skopeo inspect --tls-verify=false --format "{{.Name}}" docker://localhost:5000/box:1'),
    ).toMatch(/box\n$/);
    await machine.run(
      's3cmd -c /root/s3cmd --quiet --force get s3://box/layer.tar /root/again && cmp /root/layer.tar /root/again',
    );
  });

  it('runs its services as confined as their units say', async () => {
    for (const unit of ['brickyard-allocator', 'brickyard-api-gateway']) {
      const [pid, status] = [await property(unit, 'MainPID'), '/proc/$pid/status'];
      const told = await machine.run(`pid=${pid}; grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' ${status}`);
      expect(told).toMatch(/Uid:\t(?!0\t)/);
      expect(told).toMatch(/CapEff:\t0{16}\n/);
      expect(told).toMatch(/NoNewPrivs:\t1\n/);
      expect(told).toMatch(/Seccomp:\t2\n/);
      const write = `nsenter --target ${pid} --mount touch /etc/brickyard/written /opt/brickyard/written`;
      await expect(machine.run(write)).rejects.toThrow(/Read-only file system/);
    }
  });

  it('goes on working after all of that, and its journal holds JSON and no secret', async () => {
    // A host is added to the site; NATS goes on, and with it the work on hosts.
    await machine.run(`brickyard site secrets --directory ${SITE} --node host1 host2
      install -o nats -g nats -m 400 ${SITE}/nats/nats.conf /etc/brickyard/nats/nats.conf
      systemctl reload nats-server
      timeout 30 bash -c 'until journalctl -u nats-server -o cat | grep -q "Reloaded server configuration"; do sleep 0.2; done'`);
    await brickyard('volume create --name second --size 1 --durability none');
    const lines = (await machine.run("journalctl --no-pager -o cat _TRANSPORT=stdout -u 'brickyard-*'")).split('\n');
    const own = lines.filter((line) => line.startsWith('{'));
    for (const line of own) expect(JSON.parse(line)).toMatchObject({ msg: expect.any(String) as unknown });
    for (const unit of UNITS) expect(await journalOf(unit)).toContain('"service":');
    const everything = await machine.run('journalctl --no-pager -o cat');
    expect(secrets().filter((secret) => everything.includes(secret))).toEqual([]);
  });

  /** Passwords and keys of the site; names of users and public certificates are none. */
  function secrets(): string[] {
    const site = join(machine.root, SITE);
    const files = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /(password|-key|keys)$/.test(name),
    );
    const found = files.map((name) => readFileSync(join(site, name), 'utf8').trim()).filter((text) => text.length > 20);
    expect(found.length).toBeGreaterThan(5);
    return found;
  }

  it('ends every unit in order when it is asked to, and leaves nothing of volumes that were deleted', async () => {
    await machine.run('umount /mnt/first; systemctl stop brickyard-registry-backend brickyard-object-gateway');
    const ids = (await brickyard('volume list')).match(/^[0-9a-f]{32}\b/gm) ?? [];
    expect(ids).toHaveLength(4);
    for (const id of ids) await brickyard(`volume delete ${id}`);
    await machine.run(`systemctl stop ${UNITS.join(' ')}`);
    for (const unit of UNITS)
      expect([unit, await property(unit, 'Result'), await property(unit, 'ExecMainStatus')]).toEqual([
        unit,
        'success',
        '0',
      ]);
    expect(await machine.run('grep ^/dev/loop /proc/mounts || true')).toBe('');
  });
});
