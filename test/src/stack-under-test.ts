/** A whole system for a spec: its own folder, free ports, and nothing left afterwards. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tracesOf } from '@brickyard/hosts';
import type { ApiClient } from '@brickyard/service-host';
import { eventually, startStack, type RunningStack, type StackOptions } from '@brickyard/stack';
import { ClusterInfo, ClusterList, NodeInfo, VolumeInfo } from './answers';

const run = promisify(execFile);
/** The longest anything in a spec may take, on a machine that is slow and busy. */
const PATIENCE_MS = 120_000;

export interface StackUnderTest {
  readonly stack: RunningStack;
  readonly api: ApiClient;
  readonly dataDir: string;
  createVolume(body: Record<string, unknown>, key?: string): Promise<VolumeInfo>;
  nodes(): Promise<NodeInfo[]>;
  /** KiB promised to bricks on all devices. */
  usedKib(): Promise<number>;
  /** Waits until a question is answered with yes. */
  until(what: string, isSo: () => Promise<boolean>, patienceMs?: number): Promise<void>;
  /** Stops everything and removes the folder; what is left of the hosts is the answer, and should be nothing. */
  end(): Promise<readonly string[]>;
}

/** Starts a system in a folder of its own, or again in one that is kept. */
export async function stackUnderTest(
  options: Omit<StackOptions, 'dataDir' | 'onProgress'>,
  keptDir?: string,
): Promise<StackUnderTest> {
  const dataDir = keptDir ?? (await mkdtemp(join(tmpdir(), 'brickyard-e2e-')));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const progress: string[] = [];
  const stack = await startStack({ ...options, dataDir, onProgress: (text) => progress.push(text) }).catch(
    (error: unknown) => {
      throw new Error(`the stack does not start:\n${progress.join('\n')}`, { cause: error });
    },
  );
  const api = stack.client();
  const nodes = async (): Promise<NodeInfo[]> => {
    const { clusters } = ClusterList.parse((await api.get('/clusters')).body);
    const infos = await Promise.all(clusters.map((id) => api.get(`/clusters/${id}`)));
    const ids = infos.flatMap(({ body }) => ClusterInfo.parse(body).nodes);
    return Promise.all(ids.map(async (id) => NodeInfo.parse((await api.get(`/nodes/${id}`)).body)));
  };
  return {
    stack,
    api,
    dataDir,
    nodes,
    createVolume: async (body, key) =>
      VolumeInfo.parse((await api.post('/volumes', body, key === undefined ? {} : { idempotencyKey: key })).body),
    usedKib: async () =>
      (await nodes()).flatMap(({ devices }) => devices).reduce((sum, { storage }) => sum + storage.used, 0),
    until: (what, isSo, patienceMs = PATIENCE_MS) =>
      eventually(what, patienceMs, async () => {
        if (!(await isSo())) throw new Error('not yet');
      }),
    async end() {
      api.close();
      await stack.stop();
      const traces = options.hosts === 'real' ? await tracesOf({ directory: dataDir }) : [];
      await rm(dataDir, { recursive: true, force: true });
      return traces;
    },
  };
}

/** Runs a program on this machine and gives its output; a failure rejects with what it said. */
export async function command(
  file: string,
  argv: readonly string[],
  timeoutMs = 60_000,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const { stdout } = await run(file, [...argv], { timeout: timeoutMs, env });
  return stdout;
}
