/** Real clients against two object gateways that share a volume on real Gluster hosts. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@brickyard/servers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

const MINUTE = 60_000;
const MIB = 1024 * 1024;
const run = promisify(execFile);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('objects on real storage hosts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-objects-'));
  const tree = join(folder, 'tree');
  let under: StackUnderTest;
  let env: Record<string, string>;
  let urls: readonly [string, string];

  beforeAll(async () => {
    under = await stackUnderTest({ hosts: 'real', registry: false, objects: 2 });
    const { urls: found, keys } = under.stack.objects;
    urls = [found[0] ?? '', found[1] ?? ''];
    env = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      AWS_ACCESS_KEY_ID: keys.accessKey,
      AWS_SECRET_ACCESS_KEY: keys.secretKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'aws'),
    };
    writeFileSync(join(folder, 'aws'), '[default]\ns3 =\n  signature_version = s3v4\n');
    for (const [index, url] of urls.entries()) writeClients(index, url, keys);
    for (const [name, bytes] of [
      ...Array.from({ length: 5 }, (_, index) => [`many/${String(index)}`, index * 40_000] as const),
      ['one/+ ü&%.txt', 10],
      ['one/..x', 0],
      ['large', 17 * MIB],
    ] as const) {
      mkdirSync(dirname(join(tree, name)), { recursive: true });
      writeFileSync(join(tree, name), randomBytes(bytes));
    }
  }, 3 * MINUTE);

  afterAll(async () => {
    const traces = await under.end();
    rmSync(folder, { recursive: true, force: true });
    expect(traces).toEqual([]);
  }, 2 * MINUTE);

  function writeClients(index: number, url: string, keys: { accessKey: string; secretKey: string }): void {
    const { host } = new URL(url);
    const s3cmd = [
      ...['[default]', `access_key = ${keys.accessKey}`, `secret_key = ${keys.secretKey}`],
      ...[`host_base = ${host}`, `host_bucket = ${host}`, 'use_https = False', ''],
    ];
    writeFileSync(join(folder, `s3cmd-${String(index)}`), s3cmd.join('\n'));
    const rclone = [
      ...['[by]', 'type = s3', 'provider = Other', `access_key_id = ${keys.accessKey}`],
      ...[`secret_access_key = ${keys.secretKey}`, `endpoint = ${url}`, ''],
    ];
    writeFileSync(join(folder, `rclone-${String(index)}`), rclone.join('\n'));
  }

  async function client(file: string, argv: readonly string[]): Promise<string> {
    const { stdout } = await run(file, [...argv], { env, timeout: 2 * MINUTE, maxBuffer: 32 * MIB });
    return stdout;
  }
  const s3cmd = (replica: 0 | 1, ...argv: string[]): Promise<string> =>
    client('s3cmd', ['-c', join(folder, `s3cmd-${String(replica)}`), '--quiet', ...argv]);
  const rclone = (replica: 0 | 1, ...argv: string[]): Promise<string> =>
    client('rclone', ['--config', join(folder, `rclone-${String(replica)}`), ...argv]);
  const aws = (replica: 0 | 1, ...argv: string[]): Promise<string> =>
    client('aws', ['--endpoint-url', urls[replica], ...argv]);

  it(
    'are synced by s3cmd, rclone and the AWS CLI through one gateway and read through the other',
    async () => {
      await s3cmd(0, 'mb', 's3://trees');
      await s3cmd(0, 'sync', `${tree}/`, 's3://trees/s3cmd/');
      await rclone(1, 'check', '--download', tree, 'by:trees/s3cmd');
      await rclone(1, 'sync', '--s3-upload-cutoff', '5Mi', '--s3-chunk-size', '5Mi', tree, 'by:trees/rclone');
      await rclone(0, 'check', '--download', tree, 'by:trees/rclone');
      await aws(0, 's3', 'sync', '--only-show-errors', tree, 's3://trees/aws');
      await aws(1, 's3', 'sync', '--only-show-errors', 's3://trees/aws', join(folder, 'back'));
      await run('diff', ['-r', tree, join(folder, 'back')]);
    },
    4 * MINUTE,
  );

  it(
    'are fetched from presigned addresses, and have keys as long and odd as any',
    async () => {
      const url = (await aws(0, 's3', 'presign', 's3://trees/aws/large', '--expires-in', '600')).trim();
      const out = join(folder, 'presigned');
      await client('curl', ['--silent', '--fail', '--output', out, url]);
      expect(sha256(readFileSync(out))).toBe(sha256(readFileSync(join(tree, 'large'))));
      const key = '%'.repeat(1024);
      await aws(0, 's3api', 'put-object', '--bucket', 'trees', '--key', key, '--body', join(tree, 'many/3'));
      await aws(1, 's3api', 'get-object', '--bucket', 'trees', '--key', key, out);
      expect(sha256(readFileSync(out))).toBe(sha256(readFileSync(join(tree, 'many/3'))));
    },
    2 * MINUTE,
  );

  it(
    'are written while a gateway is killed: rclone tries again, and what is there is whole',
    async () => {
      const syncing = rclone(0, 'sync', '--retries', '10', '--retries-sleep', '500ms', tree, 'by:trees/killed');
      await under.until('the sync has begun', async () => (await rclone(1, 'lsf', 'by:trees/killed')) !== '');
      under.stack.service('object-gateway-1').kill('SIGKILL');
      await syncing;
      await rclone(1, 'check', '--download', tree, 'by:trees/killed');
      await aws(1, 's3', 'rm', '--recursive', '--only-show-errors', 's3://trees');
      await s3cmd(1, 'rb', 's3://trees');
    },
    3 * MINUTE,
  );

  it(
    "are the storage of Debian's docker-registry",
    async () => {
      await aws(0, 's3', 'mb', 's3://images');
      const registry = await startRegistry();
      try {
        const layer = randomBytes(34 * MIB);
        const begun = await fetch(`${registry.url}/v2/team/app/blobs/uploads/`, { method: 'POST' });
        const patched = await fetch(begun.headers.get('location') ?? '', { method: 'PATCH', body: layer });
        const digest = `sha256:${sha256(layer)}`;
        const end = `${patched.headers.get('location') ?? ''}&digest=${encodeURIComponent(digest)}`;
        expect((await fetch(end, { method: 'PUT' })).status).toBe(201);
        const got = await fetch(`${registry.url}/v2/team/app/blobs/${digest}`);
        expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(layer));
      } finally {
        registry.process.kill('SIGTERM');
        await once(registry.process, 'exit');
      }
    },
    2 * MINUTE,
  );

  async function startRegistry(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
    const { keys } = under.stack.objects;
    const port = await freePort();
    const config = [
      ...['version: 0.1', 'log: {level: error, accesslog: {disabled: true}}', 'storage:', '  s3:'],
      ...[`    accesskey: ${keys.accessKey}`, `    secretkey: ${keys.secretKey}`, '    region: us-east-1'],
      ...[`    regionendpoint: ${urls[0]}`, '    bucket: images', '    secure: false', '    v4auth: true'],
      ...['  redirect: {disable: true}', `http: {addr: "127.0.0.1:${String(port)}"}`, ''],
    ];
    const file = join(folder, 'registry.yml');
    writeFileSync(file, config.join('\n'));
    const process = spawn('docker-registry', ['serve', file], { stdio: 'ignore', env: { PATH: env['PATH'] } });
    const url = `http://127.0.0.1:${String(port)}`;
    await under.until('the registry answers', async () => (await fetch(`${url}/v2/`)).ok);
    return { url, process };
  }
});
