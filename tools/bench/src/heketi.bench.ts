/** What heketi's operators wait for: a topology of 100 × 12 devices loaded, and 10,000 volumes listed. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startStack } from '@brickyard/stack';
import { withEstate } from './console.bench';
import { median, timed, type Figure } from './report';

const NODES = 100;
const DEVICES = 12;
const LOAD_S = 10;
const LIST_S = 1;
const LOOKS = 3;
const CLI = join(__dirname, '..', '..', '..', 'apps', 'cli', 'bin', 'brickyard.js');
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;

const topology = {
  clusters: [
    {
      nodes: Array.from({ length: NODES }, (_, node) => {
        const host = `load-${String(node + 1)}`;
        return {
          node: { hostnames: { manage: [host], storage: [host] }, zone: 1 + (node % 5) },
          devices: Array.from({ length: DEVICES }, (__, device) => `/dev/sd${String.fromCharCode(98 + device)}`),
        };
      }),
    },
  ],
};

/** The command line as people call it, its start included. */
async function cli(env: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<string> {
  const options = { env: { ...process.env, ...env }, maxBuffer: OUTPUT_BYTES_MAX };
  return (await promisify(execFile)(process.execPath, [CLI, ...words], options)).stdout;
}

async function loadTopology(dataDir: string): Promise<Figure> {
  const stack = await startStack({
    dataDir: join(dataDir, 'stack'),
    hosts: 'simulated',
    allocators: 1,
    registry: false,
    loadTopology: false,
  });
  try {
    const file = join(dataDir, 'topology.json');
    await writeFile(file, JSON.stringify(topology));
    const env = { BRICKYARD_SERVER: stack.apiUrl, BRICKYARD_KEY: stack.adminKey };
    const { ms, result } = await timed(() => cli(env, 'topology', 'load', file));
    const added = result.split('... OK').length - 1;
    if (added !== NODES * DEVICES) throw new Error(`${String(added)} devices were added`);
    return { name: 'heketi: topology load, 100 nodes × 12 devices', value: ms / 1_000, unit: 's', limit: LOAD_S };
  } finally {
    await stack.stop();
  }
}

async function looks(url: string): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const words of [
    ['volume', 'list'],
    ['topology', 'info'],
  ] as const) {
    const times: number[] = [];
    for (let look = 0; look < LOOKS; look++) {
      times.push((await timed(() => cli({ BRICKYARD_SERVER: url }, ...words))).ms / 1_000);
    }
    figures.push({
      name: `heketi: ${words.join(' ')}, 10,000 volumes`,
      value: median(times),
      unit: 's',
      limit: LIST_S,
    });
  }
  return figures;
}

/** Loads a topology into a system of its own, then looks at a large estate. */
export async function benchHeketi(say: (text: string) => void): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  try {
    return [await loadTopology(dataDir), ...(await withEstate(say, (url) => looks(url)))];
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
