/** POST to ready on real hosts, against a bare script that runs the same commands on the same hosts. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostLab, StorageHost } from '@brickyard/hosts';
import { startStack, type RunningStack } from '@brickyard/stack';
import { median, timed, type Figure } from './report';

const ROUNDS = 10;
const OVERHEAD = 1.3;
const TIMEOUT_MS = 60_000;

async function must(host: StorageHost, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run([...argv], { timeoutMs: TIMEOUT_MS });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}

/** One brick by hand: the commands that any tool has to run. */
async function bareBrick(host: StorageHost, name: string): Promise<string> {
  const image = `${host.stateDirectory}/${name}.img`;
  const mount = `${host.stateDirectory}/${name}`;
  await must(host, ['truncate', '-s', '1G', image]);
  const loop = await must(host, ['losetup', '--find', '--show', '--direct-io=on', image]);
  await must(host, ['mkfs.xfs', '-q', '-i', 'size=512', '-n', 'size=8192', loop]);
  await must(host, ['mkdir', '-p', mount]);
  await must(host, ['mount', '-o', 'rw,inode64,noatime,nouuid', loop, mount]);
  await must(host, ['mkdir', `${mount}/brick`]);
  return `${host.address}:${mount}/brick`;
}

async function removeBareBrick(host: StorageHost, name: string): Promise<void> {
  const loop = await must(host, ['findmnt', '-n', '-o', 'SOURCE', '--mountpoint', `${host.stateDirectory}/${name}`]);
  await must(host, ['umount', `${host.stateDirectory}/${name}`]);
  await must(host, ['losetup', '-d', loop]);
  await must(host, ['rm', `${host.stateDirectory}/${name}.img`]);
}

/** The bare script: bricks of all hosts at once, then create and start on one of them. */
async function bareVolume({ hosts }: HostLab, name: string): Promise<number> {
  const [first] = hosts;
  if (first === undefined) throw new Error('there is no host');
  const gluster = (...argv: string[]): Promise<string> => must(first, ['gluster', '--mode=script', 'volume', ...argv]);
  const { ms } = await timed(async () => {
    const bricks = await Promise.all(hosts.map((host) => bareBrick(host, name)));
    await gluster('create', name, 'replica', String(hosts.length), ...bricks);
    await gluster('start', name);
  });
  await gluster('stop', name, 'force');
  await gluster('delete', name);
  await Promise.all(hosts.map((host) => removeBareBrick(host, name)));
  return ms;
}

/** The same through the API, from the request to the answer that the volume is there. */
async function ourVolume(stack: RunningStack): Promise<number> {
  const client = stack.client();
  const { ms, result } = await timed(() =>
    client.post('/volumes', { size: 1, durability: { type: 'replicate', replicate: { replica: 3 } } }),
  );
  await client.delete(`/volumes/${(result.body as { readonly id: string }).id}`);
  client.close();
  return ms;
}

/** Ten rounds of each, by turns, so that both meet the same weather. */
export async function benchReal(say: (text: string) => void): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const stack = await startStack({
    dataDir,
    hosts: 'real',
    nodes: 3,
    registry: false,
    onProgress: (text) => {
      say(`  ${text}`);
    },
  });
  try {
    const { lab } = stack;
    if (lab === undefined) throw new Error('there are no real hosts here');
    const bare: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      bare.push(await bareVolume(lab, `bare${String(round)}`));
      ours.push(await ourVolume(stack));
    }
    const [bareMs, ourMs] = [median(bare), median(ours)];
    return [
      { name: 'bare script, mkfs to started, median', value: bareMs, unit: 'ms' },
      { name: 'POST to ready, median', value: ourMs, unit: 'ms' },
      { name: 'POST to ready ÷ bare script', value: ourMs / bareMs, unit: '×', limit: OVERHEAD },
    ];
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
