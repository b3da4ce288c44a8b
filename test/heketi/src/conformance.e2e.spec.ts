import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiDocument } from '@brickyard/contracts';
import { eventually } from '@brickyard/stack';
import { type StackUnderTest, stackUnderTest } from '../../src/stack-under-test';
import { HeketiServer } from './heketi-server';
import { drawing, makeUp } from './fuzz';
import { type Bench, makeSite, makeVolume, sharedSite, type SystemControl } from './row';
import { rows } from './rows';

const START_MS = 120_000;
const ROW_MS = 60_000;
const DEVICE_KIB = 524_288_000;
const SEED = Number(process.env['BRICKYARD_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
const FUZZ_ROUNDS = 300;

describe('heketi’s checklist, on simulated hosts', () => {
  let under: StackUnderTest;
  let folder = '';
  let bench: Bench;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-faults-'));
    const faultsFile = join(folder, 'faults.json');
    writeFileSync(faultsFile, '[]');
    under = await stackUnderTest({
      hosts: 'simulated',
      deviceSizeKib: DEVICE_KIB,
      allocators: 1,
      registry: false,
      loadTopology: false,
      faultsFile,
      env: {
        HEKETI_MAX_INFLIGHT_OPERATIONS: '8',
        HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME: 'true',
        HEKETI_BLOCK_HOSTING_VOLUME_SIZE: '100',
      },
    });
    const { stack } = under;
    const address = { url: stack.apiUrl, adminKey: stack.adminKey, userKey: stack.userKey };
    const server = new HeketiServer(address);
    bench = { server, control: controlOf(under, faultsFile, server), shared: sharedSite(server).get };
  }, START_MS);

  afterAll(async () => {
    bench.server.close();
    expect(await under.end()).toEqual([]);
    await rm(folder, { recursive: true });
  }, START_MS);

  it.each(rows)(
    '$id $title',
    async ({ run }) => {
      try {
        await run(bench);
      } finally {
        await bench.control?.release();
      }
    },
    ROW_MS,
  );

  it(
    `refuses nonsense, with what its description names and without a trace (BRICKYARD_FUZZ_SEED=${String(SEED)})`,
    async () => {
      const { server } = bench;
      const { cluster, nodes } = await makeSite(server, { zones: [1, 2], devices: 1 });
      const volume = await makeVolume(server, cluster, { size: 1 });
      const ids = [cluster, volume.text('id'), ...nodes.flatMap(({ id, devices }) => [id, ...devices])];
      const draw = drawing(SEED);
      const document = openApiDocument();
      const position = async (): Promise<string> => (await server.get('/hello')).headers['x-brickyard-position'] ?? '';
      let refused = 0;
      for (let round = 0; round < FUZZ_ROUNDS; round += 1) {
        const { method, path, body, named } = makeUp(document, { ids }, draw);
        const before = await position();
        const answer = await server.ask(method, path, body === undefined ? {} : { body });
        const what = `${method} ${path} ${body ?? ''}: ${String(answer.status)} ${answer.text}`;
        if (answer.status >= 500) expect([what, named.has(answer.status), answer.status]).toEqual([what, true, 500]);
        expect(what).not.toMatch(/internal error/);
        if (answer.status === 202) await server.end(answer.headers['location'] ?? '');
        if (answer.status < 400) continue;
        refused += 1;
        expect([what, await position()]).toEqual([what, before]);
      }
      expect(refused).toBeGreaterThan(FUZZ_ROUNDS / 4);
    },
    ROW_MS * 2,
  );

  it('leaves a database that agrees with itself, and no operation', async () => {
    expect((await bench.server.read('/db/check')).number('totalinconsistencies')).toBe(0);
    expect((await bench.server.read('/operations')).number('total')).toBe(0);
  });
});

/** Trouble by way of the agents' file of planned faults; what is written there counts once their log says so. */
function controlOf(under: StackUnderTest, file: string, server: HeketiServer): SystemControl {
  const log = join(under.dataDir, 'logs', 'node-agents.log');
  const heard = (): number => readFileSync(log, 'utf8').split('planned faults have changed').length - 1;
  let now = '[]';
  const plan = async (faults: readonly object[]): Promise<void> => {
    const text = JSON.stringify(faults);
    if (text === now) return;
    now = text;
    const before = heard();
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    await eventually('the agents do not read the planned faults', ROW_MS, () =>
      heard() > before ? Promise.resolve() : Promise.reject(new Error('not yet')),
    );
  };
  return {
    hold: (task) => plan([{ task, hang: true }]),
    fail: (task) => plan([{ task, fail: { transient: false, detail: 'planned by the test' } }]),
    release: () => plan([]),
    async reopen() {
      process.kill(under.stack.service('api-gateway-1').pid ?? 0, 'SIGUSR2');
      await under.until('the API opens again', async () => (await server.read('/admin')).text('state') === 'normal');
    },
  };
}
