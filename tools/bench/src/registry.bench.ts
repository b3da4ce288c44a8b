/** The registry beside Debian's `docker-registry`: same machine, same run, taking turns, medians of five. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostsSupported } from '@brickyard/hosts';
import { type RunningStack, startStack } from '@brickyard/stack';
import { cpuMsOf } from './cpu';
import { type Contender, startDebian } from './debian-registry';
import { manifestRate, pullLayer, pushLayer, pushManifest, pushSmall } from './registry-client';
import { type Figure, median } from './report';

const ROUNDS = 5;
const MIB = 1024 * 1024;
const ZEROS = Buffer.alloc(MIB);

type Say = (text: string) => void;
type Compare = (ours: Contender, theirs: Contender, say: Say) => Promise<Figure[]>;

/** Both on a disk of this machine. */
export const benchRegistry = (say: Say): Promise<readonly Figure[]> => bench('simulated', say, compareLocal);

/** Both on the same volume of real Gluster hosts. */
export async function benchRegistryOnGluster(say: Say): Promise<readonly Figure[]> {
  const { supported, missing } = hostsSupported();
  if (supported) return bench('real', say, compareGluster);
  say(`    left out: real storage hosts need ${missing.join(', ')}`);
  return [];
}

/** Figures of both, and the ratio that counts. */
async function bench(hosts: 'real' | 'simulated', say: Say, compare: Compare): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-bench-registry-'));
  await chmod(folder, 0o711);
  const env = { BRICKYARD_REGISTRY_SIZE_GIB: '8' };
  const onProgress = (text: string): void => {
    say(`    ${text}`);
  };
  try {
    const stack = await startStack({ dataDir: join(folder, 'data'), hosts, env, onProgress });
    try {
      const other = await startDebian(folder, join(folder, hosts === 'real' ? 'data/registry/debian' : 'debian'));
      try {
        return await compare(oursOf(stack), other.contender, say);
      } finally {
        await other.stop();
      }
    } finally {
      await stack.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const oursOf = (stack: RunningStack): Contender => ({
  url: stack.registryUrl ?? '',
  pid: () => stack.service('registry-backend').pid ?? 0,
});

/** Parts of a comparison by name; `BENCH_PARTS` picks some, as all of them take long. */
type Parts = Readonly<Record<string, Compare>>;

const inParts =
  (parts: Parts): Compare =>
  async (ours, theirs, say) => {
    const wanted = process.env['BENCH_PARTS']?.split(',') ?? Object.keys(parts);
    const unknown = wanted.filter((name) => !(name in parts));
    if (unknown.length > 0)
      throw new Error(`BENCH_PARTS: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
    const figures: Figure[] = [];
    for (const name of wanted) figures.push(...((await parts[name]?.(ours, theirs, say)) ?? []));
    return figures;
  };

const only = async (work: () => Promise<number>): Promise<Measured> => ({ seconds: await work(), cpu: 0 });

async function manifests(ours: Contender, theirs: Contender, say: Say): Promise<number> {
  await Promise.all([ours, theirs].map(({ url }) => pushManifest(url)));
  const rate = ({ url }: Contender): Promise<Measured> => only(async () => 1 / (await manifestRate(url)));
  return (await inTurns(ours, theirs, rate, say, 'one manifest')).speed;
}

const compareLocal = inParts({
  /** First: answers about manifests leave a heap that V8 takes its time to give back. */
  memory: async (ours) => {
    const before = rssMib(ours);
    await Promise.all(Array.from({ length: 8 }, (_, index) => pushLayer(ours.url, 1_024, 100 + index)));
    execFileSync('sync'); // What these leave the disk to write is not to the next part's account.
    return [
      {
        name: 'local: highest memory, 8 clients with 1 GiB each',
        value: rssMib(ours),
        unit: 'MiB',
        limit: 200,
        note: `(before: ${before.toFixed(0)})`,
      },
    ];
  },
  layers: async (ours, theirs, say) => {
    const pushed = (one: Contender, round: number): Promise<Measured> => {
      touchMemory(1_024);
      return cpuOf(one, () => pushLayer(one.url, 1_024, round));
    };
    const push = await inTurns(ours, theirs, pushed, say, 'push 1 GiB');
    const pull = await inTurns(ours, theirs, (one) => cpuOf(one, () => pullLayer(one.url)), say, 'pull 1 GiB');
    return [
      atLeast('local: push 1 GiB, speed / docker-registry', push.speed, 1.5),
      atMost('local: push 1 GiB, CPU / docker-registry', push.cpu, 0.7),
      atLeast('local: pull 1 GiB, speed / docker-registry', pull.speed, 0.8),
    ];
  },
  manifests: async (ours, theirs, say) => [
    atLeast('local: GET of an 8 KiB manifest, rate / docker-registry', await manifests(ours, theirs, say), 8),
  ],
});

const compareGluster = inParts({
  layers: async (ours, theirs, say) => {
    const pushed = (one: Contender, round: number): Promise<Measured> => only(() => pushLayer(one.url, 256, round));
    const push = await inTurns(ours, theirs, pushed, say, 'gluster: push 256 MiB');
    return [atLeast('gluster: push 256 MiB, speed / docker-registry', push.speed, 1.3)];
  },
  small: async (ours, theirs, say) => {
    const pushed = (one: Contender): Promise<Measured> => only(() => pushSmall(one.url, 60, 4_096, 1));
    const small = await inTurns(ours, theirs, pushed, say, 'gluster: 4 KiB blobs');
    return [atLeast('gluster: POST+PUT of 4 KiB, rate / docker-registry', small.speed, 4)];
  },
  many: async (ours, theirs, say) => {
    const pushed = (one: Contender): Promise<Measured> => only(() => pushSmall(one.url, 50, 4 * MIB, 5));
    const layers = await inTurns(ours, theirs, pushed, say, 'gluster: 50 x 4 MiB');
    return [atLeast('gluster: 50 layers x 4 MiB, speed / docker-registry', layers.speed, 2)];
  },
  manifests: async (ours, theirs, say) => [
    atLeast('gluster: GET of an 8 KiB manifest, rate / docker-registry', await manifests(ours, theirs, say), 20),
  ],
});

const atLeast = (name: string, value: number, limit: number): Figure => ({
  name,
  value,
  unit: 'x',
  limit,
  atLeast: true,
});
const atMost = (name: string, value: number, limit: number): Figure => ({ name, value, unit: 'x', limit });

interface Measured {
  readonly seconds: number;
  readonly cpu: number;
}

/** Both take turns; the ratio of the medians: above 1, ours is faster, or takes more processor time. */
async function inTurns(
  ours: Contender,
  theirs: Contender,
  work: (contender: Contender, round: number) => Promise<Measured>,
  say: (text: string) => void,
  what: string,
): Promise<{ readonly speed: number; readonly cpu: number }> {
  const [mine, other]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    mine.push(await work(ours, round));
    other.push(await work(theirs, round));
  }
  const middle = (all: readonly Measured[], field: keyof Measured): number => median(all.map((one) => one[field]));
  const shown = [mine, other].map(
    (all) => `${middle(all, 'seconds').toPrecision(3)} s, CPU ${middle(all, 'cpu').toFixed(2)} s`,
  );
  say(`    ${what}: ours ${shown[0] ?? ''}; docker-registry ${shown[1] ?? ''}`);
  return {
    speed: middle(other, 'seconds') / middle(mine, 'seconds'),
    cpu: middle(mine, 'cpu') / middle(other, 'cpu'),
  };
}

/**
 * Lets the page cache have what it is about to take. A virtual machine may be given memory only when it is touched, at three
 * times the CPU of the copy that touches it: who pushes first would pay for both.
 */
function touchMemory(mib: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-bench-touch-'));
  const file = openSync(join(folder, 'touched'), 'w');
  for (let written = 0; written < mib; written++) writeSync(file, ZEROS);
  closeSync(file);
  rmSync(folder, { recursive: true });
}

async function cpuOf({ pid }: Contender, work: () => Promise<number>): Promise<Measured> {
  const before = cpuMsOf(pid());
  const seconds = await work();
  return { seconds, cpu: (cpuMsOf(pid()) - before) / 1_000 };
}

function rssMib({ pid }: Contender): number {
  const status = readFileSync(`/proc/${String(pid())}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024;
}
