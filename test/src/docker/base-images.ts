/**
 * The images that ours are built on and run beside, under the names the Dockerfile and the compose file use. They are
 * made here from Debian's packages, since a test must not depend on a registry of images.
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { REPOSITORY } from '../repository';
import type { DockerEngine } from './engine';
import { run } from './program';

/** Below what npm ci empties: it is small, and a fresh clone makes it anew. */
const CACHE = join(REPOSITORY, 'node_modules/.cache/brickyard-images');
/** On a machine that does much else: alone it takes a minute. */
const BOOTSTRAP_MS = 900_000;
const MIRROR = 'http://deb.debian.org/debian';
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** What the official image of Postgres does on its first start, as far as the compose file needs it. */
const POSTGRES_ENTRYPOINT = `#!/bin/bash
set -eu
PGDATA=\${PGDATA:-/var/lib/postgresql/data}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -D "$PGDATA" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o '-c listen_addresses= -c unix_socket_directories=/tmp' -w start
  psql --host /tmp --username "$POSTGRES_USER" postgres -c "CREATE DATABASE $POSTGRES_DB"
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c 'listen_addresses=*' -c unix_socket_directories=/tmp
`;

/** The lists of packages came with the bare system. */
const APT = 'apt-get install -q --yes --no-install-recommends';

/** As in the official image, packages come without documentation and leave no archive behind. */
const DPKG_SETTINGS = `force-unsafe-io
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
`;
const APT_SETTINGS = `Acquire::Languages "none";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`;

const DEBIAN = `FROM scratch
ADD root.tar /
CMD ["bash"]
`;
const NODE = `FROM debian:bookworm-slim
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY npmrc /usr/local/etc/npmrc
COPY authorities.crt ${AUTHORITIES}
COPY npm-cache /var/cache/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && groupadd --gid 1000 node \\
 && useradd --uid 1000 --gid 1000 --create-home node
ENV NODE_EXTRA_CA_CERTS=${AUTHORITIES}
CMD ["node"]
`;
const POSTGRES = `FROM debian:bookworm-slim
RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --home /var/lib/postgresql postgres \\
 && mkdir -p /etc/postgresql-common && echo create_main_cluster=false > /etc/postgresql-common/createcluster.conf \\
 && ${APT} postgresql-15 \\
 && install -d -o postgres -g postgres /var/lib/postgresql/data
COPY entrypoint /usr/local/bin/entrypoint
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/bin/bash", "/usr/local/bin/entrypoint"]
`;
const NATS = `FROM debian:bookworm-slim
RUN ${APT} nats-server wget
ENTRYPOINT ["nats-server"]
`;

/** Makes all of them in an engine. */
export async function makeBaseImages(engine: DockerEngine): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'brickyard-images-'));
  try {
    const root = await bareSystem();
    await build(engine, folder, 'debian:bookworm-slim', DEBIAN, (context) => {
      cpSync(root, join(context, 'root.tar'));
    });
    await Promise.all([
      build(engine, folder, 'node:20-bookworm-slim', NODE, copyNode),
      build(engine, folder, 'postgres:15-bookworm', POSTGRES, (context) => {
        writeFileSync(join(context, 'entrypoint'), POSTGRES_ENTRYPOINT);
      }),
      build(engine, folder, 'nats:2.11-alpine', NATS),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An archive of a bare Debian; it is kept in a cache for the next time. */
export async function bareSystem(): Promise<string> {
  const tar = join(CACHE, 'bookworm-amd64.tar');
  if (existsSync(tar)) return tar;
  mkdirSync(CACHE, { recursive: true });
  const root = await mkdtemp(join(CACHE, 'root-'));
  try {
    const options = ['--variant=minbase', '--include=ca-certificates'];
    await run(['debootstrap', ...options, 'bookworm', root, MIRROR], { timeoutMs: BOOTSTRAP_MS });
    writeFileSync(join(root, 'etc/dpkg/dpkg.cfg.d/brickyard'), DPKG_SETTINGS);
    writeFileSync(join(root, 'etc/apt/apt.conf.d/brickyard'), APT_SETTINGS);
    for (const path of ['var/cache/apt/archives', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
      rmSync(join(root, path), { recursive: true, force: true });
      await mkdir(join(root, path), { recursive: true });
    }
    await run(['chroot', root, 'apt-get', 'update', '-q']);
    await run(['tar', '--create', '--file', `${tar}.new`, '--directory', root, '--exclude=./dev/*', '.']);
    renameSync(`${tar}.new`, tar);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return tar;
}

/**
 * npm in a container reaches the registry as npm on this machine does, or not at all when all it wants is in the cache
 * that installing this repository has filled.
 */
async function copyNode(context: string): Promise<void> {
  cpSync(process.execPath, join(context, 'node'));
  const npm = dirname(dirname((await run(['readlink', '-f', (await run(['which', 'npm'])).trim()])).trim()));
  cpSync(npm, join(context, 'npm'), { recursive: true });
  const configured = async (name: string): Promise<string> => (await run(['npm', 'config', 'get', name])).trim();
  const npmrc = [
    `registry=${await configured('registry')}`,
    'cache=/var/cache/npm',
    'prefer-offline=true',
    `cafile=${AUTHORITIES}`,
  ];
  writeFileSync(join(context, 'npmrc'), `${npmrc.join('\n')}\n`);
  const cache = join(await configured('cache'), '_cacache');
  mkdirSync(join(context, 'npm-cache'));
  if (existsSync(cache)) await run(['cp', '--recursive', cache, join(context, 'npm-cache')]);
  cpSync(AUTHORITIES, join(context, 'authorities.crt'));
}

async function build(
  engine: DockerEngine,
  folder: string,
  name: string,
  dockerfile: string,
  fill: (context: string) => void | Promise<void> = () => undefined,
): Promise<void> {
  const context = join(folder, name.replace(/\W/g, '-'));
  mkdirSync(context);
  await fill(context);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  await engine.docker(['build', '--quiet', '--network', 'host', '--tag', name, context]);
}
