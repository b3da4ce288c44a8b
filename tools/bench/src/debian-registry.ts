/** Debian's `docker-registry`, to measure against. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';

const START_TIMEOUT_MS = 60_000;

/** A registry that is being measured. */
export interface Contender {
  readonly url: string;
  readonly pid: () => number;
}

/** Starts it on a folder, which it fills. */
export async function startDebian(
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
