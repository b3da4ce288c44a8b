/** The whole system on simulated hosts: 100 nodes × 8 devices, 64 clients creating replica-3 volumes. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, type RunningStack } from '@brickyard/stack';
import { sender, storm, type Told } from './load';
import { median, type Figure } from './report';

const NODES = 100;
const DEVICES = 8;
const CLIENTS = 64;
const FEW_VOLUMES = 100;
const MANY_VOLUMES = 10_000;
const WINDOW = 600;
const ACKNOWLEDGED_SHARE = 0.5;
const FLATNESS = 1.2;
const READY_PER_SECOND = 200;

const BODY = JSON.stringify({ size: 1, durability: { type: 'replicate', replicate: { replica: 3 } } });

function expectAll(told: readonly Told[], status: number): void {
  const other = told.find((answer) => answer.status !== status);
  if (other !== undefined) throw new Error(`answered ${String(other.status)} instead of ${String(status)}`);
}

async function volumeCount(stack: RunningStack): Promise<number> {
  const client = stack.client();
  const { body } = await client.get('/volumes');
  client.close();
  return (body as { readonly volumes: readonly string[] }).volumes.length;
}

/** Waits until so many volumes are ready; there is nothing to subscribe to in heketi's protocol. */
async function untilReady(stack: RunningStack, count: number): Promise<void> {
  while ((await volumeCount(stack)) < count) await new Promise((resolve) => setTimeout(resolve, 50));
}

interface Window {
  readonly acknowledgedPerSecond: number;
  readonly msEach: number;
  readonly readyPerSecond: number;
}

/** Creates some volumes from all clients at once and waits until the last one is ready. */
async function createMany(stack: RunningStack, count: number): Promise<Window> {
  const before = await volumeCount(stack);
  const { send, close } = sender(stack, 'POST', '/volumes', CLIENTS);
  const from = performance.now();
  const { ms, told } = await storm(CLIENTS, count, () => send(BODY));
  expectAll(told, 202);
  await untilReady(stack, before + count);
  const readyMs = performance.now() - from;
  close();
  return { acknowledgedPerSecond: (count / ms) * 1_000, msEach: ms / count, readyPerSecond: (count / readyMs) * 1_000 };
}

/** What the gateway serves when it needs nobody else: an authenticated request with an empty body. */
async function emptyPosts(stack: RunningStack, count: number): Promise<number> {
  const { send, close } = sender(stack, 'POST', '/volumes', CLIENTS);
  const { ms, told } = await storm(CLIENTS, count, () => send(''));
  expectAll(told, 422);
  close();
  return (count / ms) * 1_000;
}

async function windows(stack: RunningStack, times: number): Promise<readonly Window[]> {
  const all: Window[] = [];
  for (let turn = 0; turn < times; turn++) all.push(await createMany(stack, WINDOW));
  return all;
}

async function measure(stack: RunningStack, say: (text: string) => void): Promise<readonly Figure[]> {
  await emptyPosts(stack, 2_000); // Warm up: the first requests are compiled while they are served.
  await createMany(stack, FEW_VOLUMES);
  const few = await windows(stack, 3);
  const empty = median([
    await emptyPosts(stack, 4_000),
    await emptyPosts(stack, 4_000),
    await emptyPosts(stack, 4_000),
  ]);
  const made = await volumeCount(stack);
  say(`  ${String(made)} volumes; making ${String(MANY_VOLUMES - made)} more`);
  await createMany(stack, MANY_VOLUMES - made);
  const many = await windows(stack, 3);
  const acknowledged = median(few.map(({ acknowledgedPerSecond }) => acknowledgedPerSecond));
  const fewMs = median(few.map(({ msEach }) => msEach));
  const manyMs = median(many.map(({ msEach }) => msEach));
  return [
    { name: 'empty authenticated POST', value: empty, unit: '/s' },
    { name: 'creations acknowledged', value: acknowledged, unit: '/s' },
    {
      name: 'creations acknowledged ÷ empty POSTs',
      value: acknowledged / empty,
      unit: '×',
      limit: ACKNOWLEDGED_SHARE,
      atLeast: true,
    },
    {
      name: `time of a creation at ${String(MANY_VOLUMES)} ÷ at ${String(FEW_VOLUMES)} volumes`,
      value: manyMs / fewMs,
      unit: '×',
      limit: FLATNESS,
      note: `${manyMs.toFixed(2)} ms, ${fewMs.toFixed(2)} ms`,
    },
    {
      name: `volumes made ready at ${String(FEW_VOLUMES)} volumes`,
      value: median(few.map(({ readyPerSecond }) => readyPerSecond)),
      unit: '/s',
      limit: READY_PER_SECOND,
      atLeast: true,
    },
    {
      name: `volumes made ready at ${String(MANY_VOLUMES)} volumes`,
      value: median(many.map(({ readyPerSecond }) => readyPerSecond)),
      unit: '/s',
      limit: READY_PER_SECOND,
      atLeast: true,
    },
  ];
}

/** Rates of acknowledged and of finished creations, and whether they stay the same as volumes grow many. */
export async function benchSimulated(say: (text: string) => void): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const configFile = join(dataDir, 'heketi.json');
  await writeFile(configFile, JSON.stringify({ glusterfs: { max_volumes_per_cluster: -1 } }));
  const stack = await startStack({
    dataDir: join(dataDir, 'stack'),
    hosts: 'simulated',
    nodes: NODES,
    devicesPerNode: DEVICES,
    deviceSizeKib: 500 * 1_048_576,
    allocators: 1,
    registry: false,
    configFile,
    onProgress: (text) => {
      say(`  ${text}`);
    },
  });
  try {
    return await measure(stack, say);
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
