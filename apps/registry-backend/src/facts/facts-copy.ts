/**
 * A copy of the ledger beside the bytes, in files that never change: enough to have all facts again when the database is
 * lost. The leader writes what was committed, a moment later, from a cursor of its own.
 */
import { createReadStream } from 'node:fs';
import { open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RegistryCommand } from '@brickyard/contracts';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { type LedgerReader, type Relay, startRelay } from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger, Unavailable } from '@brickyard/service-host';
import { z } from 'zod';
import { syncFolder } from '@brickyard/volume-storage';
import type { ContentStore } from '../bytes/content-store';
import { OciError } from '../http/oci-error';
import { accepted } from '../registry';
import type { Origin, RegistryFacts } from './registry-facts';

const CURSOR = 'copy-on-volume';
const NAME = /^(\d{12})-(\d{12})\.jsonl$/;
const BATCH = 200;
/** Many small pushes make one file: each costs the volume about twenty operations. */
const GATHER_MS = 1_000;

const Kept = z.object({ position: z.int(), type: z.string(), version: z.int(), data: z.record(z.string(), z.json()) });
type Kept = z.infer<typeof Kept>;

const padded = (position: number): string => String(position).padStart(12, '0');

/** Writes committed events to the volume, in order, none left out; what is there already stays. */
export async function startFactsCopy(reader: LedgerReader, store: () => ContentStore, log: Logger): Promise<Relay> {
  const [end, { position }] = [await endOfCopy(store()), await reader.head()];
  if (end > position) throw new Unavailable(behindCopy(position, end));
  await reader.moveCursor(CURSOR, end);
  return startRelay({
    reader,
    cursorName: CURSOR,
    publish: async (events) => {
      await new Promise((done) => setTimeout(done, GATHER_MS));
      await writeSegment(store(), events);
    },
    onTrouble: (error) => {
      log.warn({ reason: describeError(error) }, 'the copy of the facts on the volume waits');
    },
  });
}

async function writeSegment(store: ContentStore, events: readonly StoredEvent[]): Promise<void> {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return;
  const folder = store.pathOf('log');
  const name = `${padded(first.position)}-${padded(last.position)}.jsonl`;
  const handle = await open(join(folder, `${name}.new`), 'w');
  try {
    await handle.writeFile(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(join(folder, `${name}.new`), join(folder, name));
  await syncFolder(folder);
}

/** Why nothing may be written into a log that lacks what its volume knows. */
export const behindCopy = (position: number, end: number): string =>
  `the log has ${String(position)} events and the copy on the volume ${String(end)}: rebuild it first`;

/** The events of the copy in order; one that was written twice is told once. Throws where one is missing. */
export async function* factsOnVolume(store: ContentStore): AsyncGenerator<Kept> {
  const names = (await readdir(store.pathOf('log'))).filter((name) => NAME.test(name)).sort();
  let next = 1;
  for (const name of names) {
    for await (const line of createInterface(createReadStream(store.pathOf(`log/${name}`)))) {
      const kept = Kept.parse(JSON.parse(line));
      if (kept.position < next) continue;
      if (kept.position > next)
        throw new OciError('UNKNOWN', `event ${String(next)} is missing in the copy`, { status: 409 });
      next += 1;
      yield kept;
    }
  }
}

/** The last position the copy has. */
export async function endOfCopy(store: ContentStore): Promise<number> {
  const ends = (await readdir(store.pathOf('log'))).map((name) => Number(NAME.exec(name)?.[2] ?? 0));
  return Math.max(0, ...ends);
}

export interface Rebuilt {
  readonly events: number;
  readonly isDryRun: boolean;
}

/** Writes into the log what only the copy has, in its order: everything, or what came after a backup. */
export async function rebuildFacts(
  store: ContentStore,
  facts: RegistryFacts,
  isDryRun: boolean,
  origin: Origin,
): Promise<Rebuilt> {
  const before = facts.current.position;
  let events = 0;
  let batch: Omit<Kept, 'position'>[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const command: RegistryCommand = { type: 'RestoreFacts', at: before + events - batch.length + 1, facts: batch };
    batch = [];
    if (!isDryRun) accepted(await facts.submit(command, origin));
  };
  for await (const { position, type, version, data } of factsOnVolume(store)) {
    if (position <= before) continue;
    events += 1;
    batch.push({ type, version, data });
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return { events, isDryRun };
}
