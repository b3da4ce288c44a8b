/** The whole system on simulated hosts: 100 nodes × 8 devices, 64 clients creating replica-3 volumes. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, type RunningStack } from '@brickyard/stack';
import { cpuEach, cpuMedian, cpuNow, cpuText, cpuTotal, type CpuMs } from './cpu';
import { sender, storm, type Told } from './load';
import { median, type Figure } from './report';

const NODES = 100;
const DEVICES = 8;
const CLIENTS = 64;
const FEW_VOLUMES = 100;
/** How many are many; fewer for a quick look at what a change has brought. */
const MANY_VOLUMES = Number(process.env['BENCH_MANY'] ?? 10_000);
/** A folder for a CPU profile of every service (see `profile.ts`); absent: none is made, as it costs time itself. */
const PROFILES = process.env['BENCH_PROFILES'];
const WINDOW = 600;
const WARM_UP_WINDOWS = 3;
const ACKNOWLEDGED_SHARE = 0.5;
const FLATNESS = 1.2;
const READY_PER_SECOND = 200;

const BODY = JSON.stringify({ size: 1, durability: { type: 'replicate', replicate: { replica: 3 } } });

function expectAll(told: readonly Told[], status: number): void {
  const other = told.find((answer) => answer.status !== status);
  if (other !== undefined) throw new Error(`answered ${String(other.status)} instead of ${String(status)}`);
}

async function volumesOf(stack: RunningStack): Promise<readonly string[]> {
  const client = stack.client();
  const { body } = await client.get('/volumes');
  client.close();
  return (body as { readonly volumes: readonly string[] }).volumes;
}

const volumeCount = async (stack: RunningStack): Promise<number> => (await volumesOf(stack)).length;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/**
 * Waits until the last operation that was acknowledged is over, then until so many volumes are there: one cheap question
 * at a time, so that asking does not take the time of what is asked about.
 */
async function untilReady(stack: RunningStack, last: string | undefined, count: number): Promise<void> {
  const { send, close } = sender(stack, 'GET', last ?? '/volumes', 1);
  while (last !== undefined && (await send('')).status === 200) await pause();
  close();
  while ((await volumeCount(stack)) < count) await pause();
}

interface Window {
  readonly acknowledgedPerSecond: number;
  readonly msEach: number;
  readonly readyPerSecond: number;
  /** CPU of one creation until all were acknowledged, and until all were ready. */
  readonly acknowledgedCpu: CpuMs;
  readonly readyCpu: CpuMs;
}

const cpuOf = (stack: RunningStack): CpuMs =>
  cpuNow(new Map([...stack.services].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid] as const]))));

/** Creates some volumes from all clients at once and waits until the last one is ready. */
async function createMany(stack: RunningStack, count: number): Promise<Window> {
  const before = await volumeCount(stack);
  const { send, close } = sender(stack, 'POST', '/volumes', CLIENTS);
  const cpuBefore = cpuOf(stack);
  const from = performance.now();
  const { ms, told } = await storm(CLIENTS, count, () => send(BODY));
  const cpuTold = cpuOf(stack);
  expectAll(told, 202);
  await untilReady(stack, told.at(-1)?.location, before + count);
  const readyMs = performance.now() - from;
  const cpuReady = cpuOf(stack);
  close();
  return {
    acknowledgedPerSecond: (count / ms) * 1_000,
    msEach: ms / count,
    readyPerSecond: (count / readyMs) * 1_000,
    acknowledgedCpu: cpuEach(cpuBefore, cpuTold, count),
    readyCpu: cpuEach(cpuBefore, cpuReady, count),
  };
}

interface Empty {
  readonly perSecond: number;
  readonly cpu: CpuMs;
}

/** What the gateway serves when it needs nobody else: an authenticated request with an empty body. */
async function emptyPosts(stack: RunningStack, count: number): Promise<Empty> {
  const { send, close } = sender(stack, 'POST', '/volumes', CLIENTS);
  const before = cpuOf(stack);
  const { ms, told } = await storm(CLIENTS, count, () => send(''));
  expectAll(told, 422);
  close();
  return { perSecond: (count / ms) * 1_000, cpu: cpuEach(before, cpuOf(stack), count) };
}

async function windows(stack: RunningStack, times: number): Promise<readonly Window[]> {
  const all: Window[] = [];
  for (let turn = 0; turn < times; turn++) all.push(await createMany(stack, WINDOW));
  return all;
}

async function deleteAll(stack: RunningStack): Promise<void> {
  const volumes = await volumesOf(stack);
  const client = stack.client();
  const { told } = await storm(CLIENTS, volumes.length, async (number) => {
    const { status } = await client.delete(`/volumes/${volumes[number] ?? ''}`);
    return { status, location: undefined };
  });
  client.close();
  expectAll(told, 204);
}

/** The first requests of each kind are compiled while they are served: both are as many, and no volume is left of them. */
async function warmUp(stack: RunningStack): Promise<void> {
  await emptyPosts(stack, WARM_UP_WINDOWS * WINDOW);
  for (let turn = 0; turn < WARM_UP_WINDOWS; turn++) await createMany(stack, WINDOW);
  await deleteAll(stack);
}

async function measure(stack: RunningStack, say: (text: string) => void): Promise<readonly Figure[]> {
  await warmUp(stack);
  await createMany(stack, FEW_VOLUMES);
  const few = await windows(stack, 3);
  const empties = [await emptyPosts(stack, 4_000), await emptyPosts(stack, 4_000), await emptyPosts(stack, 4_000)];
  const empty = median(empties.map(({ perSecond }) => perSecond));
  const made = await volumeCount(stack);
  say(`  ${String(made)} volumes; making ${String(MANY_VOLUMES - made)} more`);
  const steady = await createMany(stack, Math.max(1, MANY_VOLUMES - made));
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
    {
      name: 'without a pause: creations acknowledged',
      value: steady.acknowledgedPerSecond,
      unit: '/s',
      note: `${steady.readyPerSecond.toFixed(0)} made ready per second meanwhile`,
    },
    cpuFigure(
      'an empty POST',
      empties.map(({ cpu }) => cpu),
    ),
    cpuFigure(
      `a creation, to its answer, at ${String(FEW_VOLUMES)}`,
      few.map(({ acknowledgedCpu }) => acknowledgedCpu),
    ),
    cpuFigure(
      `a creation, to its answer, at ${String(MANY_VOLUMES)}`,
      many.map(({ acknowledgedCpu }) => acknowledgedCpu),
    ),
    cpuFigure(
      `a creation, to ready, at ${String(FEW_VOLUMES)}`,
      few.map(({ readyCpu }) => readyCpu),
    ),
    cpuFigure(
      `a creation, to ready, at ${String(MANY_VOLUMES)}`,
      many.map(({ readyCpu }) => readyCpu),
    ),
  ];
}

/** CPU that one request takes, of all processes together and of each. */
function cpuFigure(name: string, all: readonly CpuMs[]): Figure {
  const cpu = cpuMedian(all, median);
  return { name: `CPU of ${name}`, value: cpuTotal(cpu), unit: 'ms', note: cpuText(cpu) };
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
    ...(PROFILES === undefined
      ? {}
      : { env: { BENCH_PROFILES: PROFILES, NODE_OPTIONS: `--require=${join(__dirname, 'profile.js')}` } }),
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
