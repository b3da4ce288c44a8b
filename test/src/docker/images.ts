/** The images of the compose file, built in an engine of our own on bases that are made here. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../repository';
import { makeBaseImages } from './base-images';
import type { DockerEngine } from './engine';
import { run } from './program';

const BUILD_MS = 600_000;
const NEEDED = [
  '/dev/fuse',
  '/dev/loop-control',
  '/usr/sbin/dockerd',
  '/usr/bin/docker-compose',
  '/usr/sbin/debootstrap',
];

/** One service of the compose file for each image. */
export const BUILT = ['secrets', 'migrate', 'registry'];

/** What only a test wants of each of these: its engine leaves the machine's packet filter alone, so only the machine's own network leads outside. */
export const BUILD_OVERRIDES = Object.fromEntries(BUILT.map((name) => [name, { build: { network: 'host' } }]));

/** Whether this machine can build and run containers at all. */
export const canRunContainers = (): boolean =>
  process.platform === 'linux' && process.getuid?.() === 0 && NEEDED.every(existsSync);

/** Makes them all, and tells how long it took. */
export async function makeImages(engine: DockerEngine): Promise<Readonly<Record<string, string>>> {
  const from = performance.now();
  await makeBaseImages(engine);
  const basesAt = performance.now();
  const overrides = join(engine.folder, 'build.yml');
  writeFileSync(overrides, JSON.stringify({ services: BUILD_OVERRIDES }));
  const env = { ...engine.env, COMPOSE_FILE: [join(REPOSITORY, 'docker-compose.yml'), overrides].join(':') };
  for (const name of BUILT)
    await run(['docker-compose', 'build', '--quiet', name], { cwd: REPOSITORY, env, timeoutMs: BUILD_MS });
  return { 'base images': seconds(basesAt - from), build: seconds(performance.now() - basesAt) };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
