/** How soon the console shows an estate of 10,000 volumes, and how soon its slider shows another moment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser, type Page } from '@brickyard/browser';
import type { ControlEvent } from '@brickyard/contracts';
import { encodeSnapshot, FOLD_VERSION, newEvent } from '@brickyard/domain';
import { migrate, openLedgerReader, openLedgerWriter } from '@brickyard/event-sourcing/postgres';
import { freePort, freshDatabase, startNats, startPostgres } from '@brickyard/servers';
import { addTopology, finish, history, volumeCommand } from './large-estate';
import { percentile, type Figure } from './report';

const VOLUMES = 10_000;
const APPEND_AT_ONCE = 400;
const SNAPSHOT_EVERY = 10_000;
const FIRST_VIEW_MS = 1_000;
const SLIDER_MS = 300;
const VIEWS = 5;
const MOVES = 40;
const GATEWAY = join(__dirname, '..', '..', '..', 'apps', 'api-gateway', 'dist', 'main.js');

/** Whole lives of volumes as real operations leave them, snapshots at intervals as the allocator keeps them. */
async function writeEstate(url: string, say: (text: string) => void): Promise<number> {
  const writer = await openLedgerWriter<number, readonly ControlEvent[], string>({
    url,
    ledger: 'control',
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (events) => ({ events: events.map(newEvent), reply: 'appended' }),
    evolve: (count) => count + 1,
    onCommitted: () => undefined,
    onLost: (error) => {
      throw error;
    },
  });
  const reader = openLedgerReader({ url, ledger: 'control', role: 'writer' });
  let waiting: ControlEvent[] = [];
  const estate = history((event) => waiting.push(event));
  const flush = async (): Promise<void> => {
    const command = waiting;
    waiting = [];
    await writer.submit({ command, metadata: { correlationId: 'bench', actor: { name: 'bench' } } });
  };
  addTopology(estate, 100, 8, 500 * 1_048_576, 5);
  let nextSnapshot = SNAPSHOT_EVERY;
  for (let number = 0; number < VOLUMES; number++) {
    const command = volumeCommand(number);
    estate.take(estate.decide(command));
    finish(estate, command.operationId);
    if (waiting.length >= APPEND_AT_ONCE) await flush();
    if (number % 2_000 === 0) say(`  ${String(estate.position)} events written`);
    if (estate.position < nextSnapshot) continue;
    const { position, state } = estate;
    await reader.saveSnapshot({ position, foldVersion: FOLD_VERSION, chunks: [...encodeSnapshot(state)] });
    nextSnapshot += SNAPSHOT_EVERY;
  }
  await flush();
  await Promise.all([writer.close(), reader.close()]);
  return estate.position;
}

/** A gateway without authentication; resolves when it answers. */
async function startGateway(env: Readonly<Record<string, string>>, url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [GATEWAY], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const until = performance.now() + 60_000;
  while (performance.now() < until) {
    const answer = await fetch(`${url}/v1/overview`).catch(() => undefined);
    if (answer?.ok === true) return child;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  throw new Error('the gateway does not answer');
}

/** From opening the page to everything of the topology being on it. */
async function firstView(browser: Browser, url: string): Promise<number> {
  const page = await browser.page();
  const from = performance.now();
  await page.open(`${url}/console/`);
  await page.until("document.querySelectorAll('[role=meter]').length > 100");
  return performance.now() - from;
}

/** From a move of the slider to the page as it was then, volumes included; measured in the page. */
const moveSlider = (page: Page, position: number): Promise<number> =>
  page.evaluate<number>(`new Promise((resolve) => {
    const slider = document.getElementById('moment');
    const from = performance.now();
    const look = () => {
      const shown = document.querySelector('[data-position]')?.dataset.position;
      if (shown === '${String(position)}') resolve(performance.now() - from); else setTimeout(look, 2);
    };
    slider.value = ${String(position)};
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    look();
  })`);

async function measure(url: string, head: number): Promise<readonly Figure[]> {
  const browser = await Browser.start();
  try {
    const views: number[] = [];
    for (let number = 0; number < VIEWS; number++) views.push(await firstView(browser, url));
    const page = await browser.page();
    await page.open(`${url}/console/`);
    await page.until("document.querySelectorAll('[role=meter]').length > 100");
    const jumps: number[] = [];
    const steps: number[] = [];
    for (let number = 0; number < MOVES; number++) {
      const position = 1 + ((number * 7_919_191) % (head - 2_000));
      jumps.push(await moveSlider(page, position));
      steps.push(await moveSlider(page, position + 137));
    }
    const note = `${String(head)} events, ${String(VOLUMES)} volumes`;
    return [
      { name: 'console: first view, median', value: percentile(views, 0.5), unit: 'ms', limit: FIRST_VIEW_MS, note },
      { name: 'console: slider to anywhere, median', value: percentile(jumps, 0.5), unit: 'ms', limit: SLIDER_MS },
      { name: 'console: slider to anywhere, p95', value: percentile(jumps, 0.95), unit: 'ms' },
      { name: 'console: slider a little further, p95', value: percentile(steps, 0.95), unit: 'ms', limit: SLIDER_MS },
    ];
  } finally {
    await browser.stop();
  }
}

/** Runs with a gateway, without authentication, on a log of 10,000 volumes of its own. */
export async function withEstate<T>(
  say: (text: string) => void,
  work: (url: string, head: number) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const postgres = await startPostgres({ dataDir: join(dataDir, 'pg') });
  const nats = await startNats({ storeDir: join(dataDir, 'nats') });
  try {
    const databaseUrl = await freshDatabase(postgres);
    await migrate(databaseUrl);
    const head = await writeEstate(databaseUrl, say);
    const port = await freePort();
    const url = `http://127.0.0.1:${String(port)}`;
    const env = {
      BRICKYARD_PG_URL: databaseUrl,
      BRICKYARD_NATS_URL: nats.url,
      BRICKYARD_HTTP_PORT: String(port),
      BRICKYARD_DISABLE_AUTH: '1',
      BRICKYARD_LOG_LEVEL: 'warn',
    };
    const gateway = await startGateway(env, url);
    try {
      return await work(url, head);
    } finally {
      const ended = new Promise((resolve) => gateway.once('exit', resolve));
      gateway.kill('SIGTERM');
      await ended;
    }
  } finally {
    await nats.stop();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** First view and slider, on a log of its own. */
export const benchConsole = (say: (text: string) => void): Promise<readonly Figure[]> => withEstate(say, measure);
