/** The registry beside Debian's `docker-registry`: same machine, same run, taking turns, medians of five. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostsSupported } from '@brickyard/hosts';
import { freePort } from '@brickyard/servers';
import { eventually, type RunningStack, startStack } from '@brickyard/stack';
import { type Figure, median } from './report';

const ROUNDS = 5;
const MIB = 1024 * 1024;
const PIECE = randomBytes(MIB);
const START_TIMEOUT_MS = 60_000;
const CONNECTIONS = 32;
const MANIFEST_SECONDS = 3;
/** Clock ticks a second: sysconf(_SC_CLK_TCK) on Linux. */
const TICKS = 100;

/** A registry that is being measured. */
interface Contender {
  readonly url: string;
  readonly pid: () => number;
}

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

async function startDebian(
  folder: string,
  data: string,
): Promise<{ readonly contender: Contender; stop(): Promise<void> }> {
  const port = await freePort();
  const config = join(folder, `debian-${String(port)}.yml`);
  const lines = [
    'version: 0.1',
    'log: {level: error, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${data}}, cache: {blobdescriptor: inmemory}}`,
    `http: {addr: "127.0.0.1:${String(port)}"}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child: ChildProcess = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${String(port)}`;
  let trouble: Error | undefined;
  child.once('error', (error) => {
    trouble = new Error('docker-registry does not start; sudo apt-get install docker-registry', { cause: error });
  });
  await eventually('docker-registry does not answer', START_TIMEOUT_MS, async () => {
    if (trouble !== undefined) throw trouble;
    if (!(await fetch(`${url}/v2/`)).ok) throw new Error('not yet');
  });
  const ended = new Promise((done) => child.once('exit', done));
  return {
    contender: { url, pid: () => child.pid ?? 0 },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

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
      touchMemory(1_024 * MIB);
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
 * What the page cache is about to take. A virtual machine may be given memory only when it is touched, at three times the CPU of
 * the copy that touches it: who pushes first would pay for both.
 */
function touchMemory(bytes: number): void {
  execFileSync(process.execPath, ['-e', `Buffer.alloc(${String(bytes)}, 1)`]);
}

async function cpuOf({ pid }: Contender, work: () => Promise<number>): Promise<Measured> {
  const before = cpuSeconds(pid());
  const seconds = await work();
  return { seconds, cpu: cpuSeconds(pid()) - before };
}

/** Fields 14 and 15 of proc(5) stat. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function rssMib({ pid }: Contender): number {
  const status = readFileSync(`/proc/${String(pid())}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

interface Answer {
  readonly status: number;
  readonly location: string;
}

/** Sends a request whose body comes from a function, piece by piece. */
function send(
  method: string,
  url: string,
  pieces: readonly Buffer[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const outgoing = request(
      url,
      { method, agent, headers: { 'content-length': String(length), ...headers } },
      (response) => {
        response.resume();
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
        });
      },
    );
    outgoing.once('error', reject);
    let index = 0;
    const write = (): void => {
      while (index < pieces.length) if (!outgoing.write(pieces[index++])) break;
      if (index === pieces.length) outgoing.end();
      else outgoing.once('drain', write);
    };
    write();
  });
}

function expectStatus({ status }: Answer, wanted: number, what: string): void {
  if (status !== wanted) throw new Error(`${what} answered ${String(status)}`);
}

/** The first piece differs in each round, so that nothing is there already. */
function layerOf(mib: number, salt: number): { readonly pieces: Buffer[]; readonly digest: string } {
  const first = Buffer.from(PIECE);
  first.writeUInt32LE(salt, 0);
  first.writeUInt32LE(mib, 4);
  const pieces = [first, ...Array.from({ length: mib - 1 }, () => PIECE)];
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return { pieces, digest: `sha256:${hash.digest('hex')}` };
}

let lastLayer = '';

/** POST, one PATCH, PUT, as docker does; seconds. */
async function pushLayer(url: string, mib: number, salt: number): Promise<number> {
  const { pieces, digest } = layerOf(mib, salt);
  const from = performance.now();
  await pushPieces(url, pieces, digest);
  lastLayer = digest;
  return (performance.now() - from) / 1_000;
}

async function pushPieces(url: string, pieces: readonly Buffer[], digest: string): Promise<void> {
  const at = (location: string): string => new URL(location, url).href;
  const open = await send('POST', `${url}/v2/bench/blobs/uploads/`, []);
  expectStatus(open, 202, 'POST');
  const patch = await send('PATCH', at(open.location), pieces, { 'content-type': 'application/octet-stream' });
  expectStatus(patch, 202, 'PATCH');
  const location = at(patch.location);
  const put = await send('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, []);
  expectStatus(put, 201, 'PUT');
}

function pullLayer(url: string): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/v2/bench/blobs/${lastLayer}`, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`pull answered ${String(response.statusCode)}`));
      response.resume();
      response.once('end', () => {
        resolve((performance.now() - from) / 1_000);
      });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** POST and PUT of blobs of their own; seconds for all. */
async function pushSmall(url: string, count: number, bytes: number, atOnce: number): Promise<number> {
  const from = performance.now();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const blob = randomBytes(bytes);
      const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
      const open = await send('POST', `${url}/v2/bench/blobs/uploads/`, []);
      const location = new URL(open.location, url).href;
      const put = await send('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, [blob], {
        'content-type': 'application/octet-stream',
      });
      expectStatus(put, 201, 'PUT');
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (performance.now() - from) / 1_000;
}

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A manifest of about 8 KiB under the tag `bench`. */
async function pushManifest(url: string): Promise<void> {
  const config = Buffer.from('{}');
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  await pushPieces(url, [config], digest);
  const entry = { mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length, digest };
  const layer = { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: config.length, digest };
  const layers = Array.from({ length: 48 }, () => layer);
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config: entry, layers }));
  const put = await send('PUT', `${url}/v2/bench/manifests/bench`, [body], { 'content-type': DOCKER_MANIFEST });
  expectStatus(put, 201, 'manifest');
}

/** Requests a second over 32 connections; the client is as thin as it can be, since it takes of the same processors. */
async function manifestRate(url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const text = `GET /v2/bench/manifests/bench HTTP/1.1\r\nHost: bench\r\nAccept: ${DOCKER_MANIFEST}\r\n\r\n`;
  const from = performance.now();
  const until = from + MANIFEST_SECONDS * 1_000;
  let count = 0;
  const one = (): Promise<void> =>
    new Promise((done, fail) => {
      const socket = connect(Number(port), hostname);
      let missing = 0;
      socket.once('error', fail);
      socket.on('connect', () => socket.write(text));
      socket.on('data', (chunk) => {
        if (missing === 0) {
          const head = chunk.indexOf('\r\n\r\n');
          const length = Number(/content-length: (\d+)/i.exec(chunk.toString('latin1', 0, head))?.[1] ?? Number.NaN);
          if (Number.isNaN(length) || chunk[9] !== 0x32) {
            fail(new Error('not an answer of 200 with a length'));
            socket.destroy();
            return;
          }
          missing = length + head + 4;
        }
        missing -= chunk.length;
        if (missing > 0) return;
        count += 1;
        if (performance.now() < until) socket.write(text);
        else {
          socket.destroy();
          done();
        }
      });
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  return count / ((performance.now() - from) / 1_000);
}
