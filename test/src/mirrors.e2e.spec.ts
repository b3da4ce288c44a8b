/** podman and containerd, told that the registry is a mirror of another one, which is Debian's docker-registry and goes away. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { command, stackUnderTest, type StackUnderTest } from './stack-under-test';

const MINUTE = 60_000;
/** The name clients know the other registry by; nothing answers to it but its mirror. */
const ORIGIN = 'origin.example';
const IMAGE = `${ORIGIN}/library/app:1`;
const NOWHERE = '127.0.0.1:1';

describe('images of another registry, by way of its mirror', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-mirrors-'));
  /** podman and buildah take no longer name than 50 characters for it. */
  const runRoot = mkdtempSync('/tmp/by-podman-');
  const programs: ChildProcess[] = [];
  let under: StackUnderTest;
  let mirror: string;
  let origin: string;
  let pushed: string;

  beforeAll(async () => {
    chmodSync(folder, 0o711);
    origin = `127.0.0.1:${String(await freePort())}`;
    await startOrigin();
    pushed = await push();
    const config = join(folder, 'registry.json');
    const upstream = { name: 'origin', url: `http://${origin}`, prefix: 'hub', namespaces: [ORIGIN], tagTtlSeconds: 1 };
    writeFileSync(config, JSON.stringify({ upstreams: [upstream] }));
    under = await stackUnderTest({ hosts: 'simulated', env: { BRICKYARD_REGISTRY_CONFIG: config } });
    mirror = (under.stack.registryUrl ?? '').replace('http://', '');
    await under.until('the registry answers', async () => (await fetch(`http://${mirror}/health/ready`)).ok);
    await startContainerd();
    configureClients();
  }, 3 * MINUTE);

  afterAll(async () => {
    for (const program of programs) await stop(program, 'SIGTERM');
    await under.end();
    for (const made of [folder, runRoot]) rmSync(made, { recursive: true, force: true });
  }, MINUTE);

  const fileOf = (name: string): string => join(folder, name);
  const containerd = (...argv: string[]): Promise<string> =>
    command('ctr', ['--address', fileOf('containerd.sock'), ...argv], MINUTE);

  function start(program: string, argv: readonly string[]): void {
    programs.push(spawn(program, argv, { stdio: 'ignore' }));
  }

  async function stop(program: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (program.exitCode !== null || program.signalCode !== null) return;
    program.kill(signal);
    await once(program, 'exit');
  }

  async function startOrigin(): Promise<void> {
    const lines = [
      'version: 0.1',
      'log: {level: error, accesslog: {disabled: true}}',
      `storage: {filesystem: {rootdirectory: ${fileOf('origin')}}}`,
      `http: {addr: "${origin}"}`,
    ];
    writeFileSync(fileOf('origin.yml'), `${lines.join('\n')}\n`);
    start('docker-registry', ['serve', fileOf('origin.yml')]);
    await eventually('docker-registry answers', MINUTE, async () => {
      if (!(await fetch(`http://${origin}/v2/`)).ok) throw new Error('not yet');
    });
  }

  /** An image of random bytes; the digest of its manifest. */
  async function push(): Promise<string> {
    writeFileSync(fileOf('layer'), randomBytes(3_000_000));
    writeFileSync(fileOf('Containerfile'), 'FROM scratch\nCOPY layer /layer\n');
    const store = ['--storage-driver', 'vfs', '--root', fileOf('made'), '--runroot', join(runRoot, 'made')];
    const name = `${origin}/library/app:1`;
    await command(
      'buildah',
      [...store, 'build', '--isolation', 'chroot', '--network', 'host', '-t', name, folder],
      MINUTE,
    );
    await command('buildah', [...store, 'push', '--tls-verify=false', name], MINUTE);
    return digestAt(`http://${origin}/v2/library/app/manifests/1`);
  }

  async function digestAt(url: string): Promise<string> {
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    const answer = await fetch(url, { method: 'HEAD', headers: { accept } });
    return answer.headers.get('docker-content-digest') ?? `none: ${String(answer.status)}`;
  }

  async function startContainerd(): Promise<void> {
    const lines = [
      'version = 2',
      `root = "${fileOf('containerd')}"`,
      `state = "${fileOf('containerd-state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      '[grpc]',
      `  address = "${fileOf('containerd.sock')}"`,
    ];
    writeFileSync(fileOf('containerd.toml'), `${lines.join('\n')}\n`);
    start('containerd', ['--config', fileOf('containerd.toml')]);
    await eventually('containerd answers', MINUTE, async () => {
      await containerd('version');
    });
  }

  /** As docs/registry.md tells people who run them. */
  function configureClients(): void {
    const registries = [
      '[[registry]]',
      `prefix = "${ORIGIN}"`,
      `location = "${NOWHERE}"`,
      '[[registry.mirror]]',
      `location = "${mirror}/hub"`,
      'insecure = true',
    ];
    writeFileSync(fileOf('registries.conf'), `${registries.join('\n')}\n`);
    mkdirSync(fileOf(`certs.d/${ORIGIN}`), { recursive: true });
    const hosts = [`server = "http://${NOWHERE}"`, `[host."http://${mirror}"]`, '  capabilities = ["pull", "resolve"]'];
    writeFileSync(fileOf(`certs.d/${ORIGIN}/hosts.toml`), `${hosts.join('\n')}\n`);
  }

  /** With a store that holds nothing yet; what podman then has. */
  async function pullByPodman(store: string): Promise<string> {
    const argv = ['--storage-driver', 'vfs', '--root', fileOf(store), '--runroot', join(runRoot, store)];
    const env = { ...process.env, CONTAINERS_REGISTRIES_CONF: fileOf('registries.conf') };
    await command('podman', [...argv, '--cgroup-manager', 'cgroupfs', 'pull', IMAGE], MINUTE, env);
    return (await command('podman', [...argv, 'image', 'inspect', '--format', '{{.Digest}}', IMAGE], MINUTE)).trim();
  }

  async function pullByContainerd(): Promise<string> {
    await containerd('images', 'pull', '--snapshotter', 'native', '--hosts-dir', fileOf('certs.d'), IMAGE);
    return /sha256:[0-9a-f]{64}/.exec(await containerd('images', 'list', `name==${IMAGE}`))?.[0] ?? 'none';
  }

  it(
    'are pulled by podman and by containerd',
    async () => {
      expect([await pullByPodman('store'), await pullByContainerd()]).toEqual([pushed, pushed]);
      expect(await digestAt(`http://${mirror}/v2/hub/library/app/manifests/1`)).toBe(pushed);
    },
    2 * MINUTE,
  );

  it(
    'are pulled still when the other registry is gone, by clients that have nothing',
    async () => {
      const [program] = programs;
      if (program !== undefined) await stop(program, 'SIGKILL');
      await expect(fetch(`http://${origin}/v2/`)).rejects.toThrow();
      await containerd('images', 'remove', '--sync', IMAGE);
      expect(await containerd('content', 'list', '--quiet')).toBe('');
      expect([await pullByPodman('store-again'), await pullByContainerd()]).toEqual([pushed, pushed]);
    },
    2 * MINUTE,
  );
});
