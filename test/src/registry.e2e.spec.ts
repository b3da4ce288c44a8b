/** Real clients against the registry of a whole system on real Gluster hosts, one of which loses power in the middle. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, stackUnderTest, type StackUnderTest } from './stack-under-test';

const MINUTE = 60_000;
const LAYER_MIB = 48;

describe('images on real storage hosts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-images-'));
  let under: StackUnderTest;
  let registry: string;
  /** podman takes no longer name than 50 characters for it. */
  const runRoot = mkdtempSync('/tmp/by-podman-');
  const store = ['--storage-driver', 'vfs', '--root', join(folder, 'store'), '--runroot', runRoot];
  const buildah = (...argv: string[]): Promise<string> => command('buildah', [...store, ...argv], 2 * MINUTE);
  const podman = (...argv: string[]): Promise<string> => command('podman', [...store, ...argv], 2 * MINUTE);
  const skopeo = (...argv: string[]): Promise<string> => command('skopeo', argv, 2 * MINUTE);
  const image = (tag: string): string => `${registry}/team/app:${tag}`;

  beforeAll(async () => {
    under = await stackUnderTest({ hosts: 'real' });
    registry = (under.stack.registryUrl ?? '').replace('http://', '');
    await under.until('the registry takes images', async () => (await fetch(`http://${registry}/health/ready`)).ok);
  }, 3 * MINUTE);

  afterAll(async () => {
    const traces = await under.end();
    for (const made of [folder, runRoot]) rmSync(made, { recursive: true, force: true });
    expect(traces).toEqual([]);
  }, 2 * MINUTE);

  /** An image of nothing but random bytes. */
  async function build(tag: string, mib: number): Promise<void> {
    writeFileSync(join(folder, 'layer'), randomBytes(mib * 1024 * 1024));
    writeFileSync(join(folder, 'Containerfile'), `FROM scratch\nCOPY layer /layer-${tag}\n`);
    await buildah('build', '--isolation', 'chroot', '--network', 'host', '-t', image(tag), folder);
  }

  it(
    'are stored on the volume that was claimed, pushed by buildah and podman, pulled by skopeo',
    async () => {
      const health = (await (await fetch(`http://${registry}/health/ready`)).json()) as { mount: { state: string } };
      expect(health.mount.state).toBe('mounted');
      await build('first', 2);
      await buildah('push', '--tls-verify=false', image('first'));
      await podman('push', '--tls-verify=false', image('first'), image('second'));
      const tags = JSON.parse(await skopeo('list-tags', '--tls-verify=false', `docker://${registry}/team/app`)) as {
        Tags: string[];
      };
      expect(tags.Tags).toEqual(['first', 'second']);
      const out = join(folder, 'out');
      await skopeo('copy', '--src-tls-verify=false', `docker://${image('second')}`, `dir:${out}`);
      const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as { layers: { digest: string }[] };
      for (const { digest } of manifest.layers) {
        const bytes = readFileSync(join(out, digest.replace('sha256:', '')));
        expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest);
      }
      await podman('rmi', '--force', image('first'), image('second'));
      await podman('pull', '--tls-verify=false', image('first'));
      const mounted = await skopeo(
        ...['copy', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`docker://${image('first')}`, `docker://${registry}/team/copy:first`],
      );
      expect(mounted).toContain('Writing manifest');
      await skopeo('delete', '--tls-verify=false', `docker://${registry}/team/copy:first`);
    },
    4 * MINUTE,
  );

  it(
    'are pushed and pulled while a storage host loses power',
    async () => {
      await build('crash', LAYER_MIB);
      const [victim] = under.stack.hosts;
      const pushing = buildah('push', '--tls-verify=false', image('crash'));
      await under.until('an upload runs', async () => {
        const text = await (await fetch(`http://${registry}/metrics`)).text();
        return /^registry_http_in_flight_requests\{[^}]*\} [1-9]/m.test(text);
      });
      await under.stack.crashHost(victim?.name ?? '');
      await pushing;
      await podman('rmi', '--force', image('crash'));
      await podman('pull', '--tls-verify=false', image('crash'));
      await under.stack.bootHost(victim?.name ?? '');
    },
    4 * MINUTE,
  );

  it(
    'outlive the registry: killed, it mounts the volume again and answers the same',
    async () => {
      const before = await skopeo('inspect', '--tls-verify=false', `docker://${image('crash')}`);
      under.stack.service('registry-backend').kill('SIGKILL');
      await under.until('the registry is back', async () => {
        const answer = await fetch(`http://${registry}/health/ready`).catch(() => undefined);
        return answer?.ok === true;
      });
      expect(await skopeo('inspect', '--tls-verify=false', `docker://${image('crash')}`)).toBe(before);
    },
    2 * MINUTE,
  );
});
