/** `npm start`: the whole system on this machine, until Ctrl-C. */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { dataDirOf } from './default-data';
import { readHeketiConfig } from './heketi-config';
import { type StartOptions, startOptionsFrom, USAGE, WrongOption } from './start-options';
import type { RunningStack } from './running-stack';
import { startStack } from './start-stack';
import { sampleTopology } from './topology';

const WRONG_OPTION = 2;
const ENDED = 'ended; nothing is left running, the data stays';
/** Variables that a user may set for all services. */
const PASSED_ON =
  /^(BRICKYARD_LOG_LEVEL|BRICKYARD_LOG_REQUESTS|BRICKYARD_NODE_LOST_SECONDS|LOG_LEVEL|HEKETI_(?!CLI_|ADMIN_KEY|USER_KEY|HTTP_PORT).+)$/;

const write = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Seconds since the command was typed: the build before this counts, too. */
function progress(text: string): void {
  write(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${text}`);
}

async function main(): Promise<void> {
  const options = optionsOrExit();
  if (options.isHelp) {
    process.stdout.write(USAGE);
    return;
  }
  const { whySimulated } = options;
  if (options.hosts === 'simulated') {
    progress(`SIMULATED storage hosts: no data is stored${whySimulated === undefined ? '' : ` (${whySimulated})`}`);
  }
  const ending = endOnSignal();
  try {
    const stack = await startStack({ ...options, env: passedOn(), onProgress: progress, signal: ending.signal });
    ending.of(stack);
    tell(stack, options);
  } catch (error) {
    if (!ending.signal.aborted || error instanceof AggregateError) throw error;
    progress(ENDED);
    process.exit(0);
  }
}

function optionsOrExit(): StartOptions {
  try {
    return startOptionsFrom(process.argv.slice(2), (file) => {
      const { port } = readHeketiConfig(file);
      return port === undefined ? undefined : Number(port);
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof WrongOption) process.stderr.write('npm start -- --help tells the options\n');
    process.exit(error instanceof WrongOption ? WRONG_OPTION : 1);
  }
}

/** One signal ends everything in order, also while it is still starting; the terminal sends Ctrl-C to npm and to us. */
function endOnSignal(): { readonly signal: AbortSignal; of(stack: RunningStack): void } {
  const asked = new AbortController();
  let running: RunningStack | undefined;
  const end = async (stack: RunningStack): Promise<void> => {
    await stack.stop();
    progress(ENDED);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (asked.signal.aborted) return;
      asked.abort();
      progress('ending');
      if (running === undefined) return; // The start is broken off, and ends what it has begun.
      end(running).then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
  return {
    signal: asked.signal,
    of(stack) {
      running = stack;
    },
  };
}

function passedOn(): Record<string, string> {
  const found = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}

function tell(stack: RunningStack, options: StartOptions): void {
  const folder = relative(process.cwd(), options.dataDir);
  const shown = folder.startsWith('..') ? options.dataDir : folder;
  const extra = options.dataDir === dataDirOf(undefined) ? '' : ` --data ${shown}`;
  const hosts = stack.hosts.map(({ name, address }) => (name === address ? name : `${name} (${address})`));
  write('');
  write(`API       ${stack.apiUrl}   (heketi's protocol; described at /docs)`);
  write(`console   ${stack.apiUrl}/console/`);
  if (stack.registryUrl !== undefined) write(`registry  ${stack.registryUrl}   (container images)`);
  const [objectsUrl] = stack.objects.urls;
  if (objectsUrl !== undefined) write(`objects   ${objectsUrl}   (S3; the keys are in the file of keys)`);
  if (hosts.length > 0) write(`hosts     ${hosts.join(', ')}${options.hosts === 'simulated' ? ' - simulated' : ''}`);
  if (hosts.length > 0 && options.loadTopology === false) {
    writeFileSync(join(options.dataDir, 'topology.json'), `${JSON.stringify(sampleTopology(stack.hosts), null, 2)}\n`);
    write(`          not registered: npx brickyard topology load ${shown}/topology.json`);
  }
  write(`keys      source ${shown}/env`);
  write(`logs      ${shown}/logs`);
  write('');
  write('In another terminal:');
  write(`  source ${shown}/env && npx brickyard status`);
  write(`  node tools/run.mjs stack/call POST /volumes '{"size": 1, "durability": {"type": "replicate"}}'${extra}`);
  write(`  npm run demo${extra === '' ? '' : ` --${extra}`}`);
  write('Ctrl-C ends it.');
  write('');
  write('ready');
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
