/** How long a replica of the registry needs to know what was pushed in years. */
import { hash } from 'node:crypto';
import type { RegistryEvent } from '@brickyard/contracts';
import {
  decodeRegistrySnapshot,
  emptyRegistryState,
  encodeRegistrySnapshot,
  evolveStoredRegistry,
  newRegistryEvent,
  REGISTRY_FOLD_VERSION,
  type RegistryState,
} from '@brickyard/domain/registry';
import {
  openLedgerReader,
  openLedgerWriter,
  readSealed,
  sealed,
  type LedgerReader,
  type StateAt,
} from '@brickyard/event-sourcing/postgres';
import { withDatabase } from './large-log';
import { timed, type Figure } from './report';

const LEDGER = 'registry';
const IMAGES = 30_000;
const REPOSITORIES = 300;
const LAYERS = 2;
const FROM_SNAPSHOT_MS = 5_000;
const FROM_ZERO_MS = 60_000;

/** What one push leaves: layers of its own, a manifest that names them, a tag. */
function* push(number: number): Generator<RegistryEvent> {
  const repository = `team/app-${String(number % REPOSITORIES)}`;
  const references: string[] = [];
  const blob = (what: string, size: number) => {
    const hex = hash('sha256', `${what}-${String(number)}`);
    return { digest: `sha256:${hex}`, size, file: `blobs/sha256/${hex.slice(0, 2)}/${hex}.${hex.slice(0, 16)}` };
  };
  const fact = (type: string, data: object): RegistryEvent => ({ type, version: 1, ...data }) as RegistryEvent;
  for (let layer = 0; layer < LAYERS; layer++) {
    const { digest, size, file } = blob(`layer-${String(layer)}`, 10_000_000 + number);
    references.push(digest);
    yield fact('BlobStored', { digest, size, file });
    yield fact('BlobLinked', { repository, digest, size });
  }
  const { digest, size, file } = blob('manifest', 2_000);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  yield fact('BlobStored', { digest, size, file });
  yield fact('ManifestPushed', { repository, digest, size, mediaType, references });
  yield fact('TagMoved', { repository, digest, tag: `v${String(number)}` });
}

async function writePushes(url: string, say: (text: string) => void): Promise<void> {
  const writer = await openLedgerWriter<number, readonly RegistryEvent[], string>({
    url,
    ledger: LEDGER,
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (events) => ({ events: events.map(newRegistryEvent), reply: 'appended' }),
    evolve: (count) => count + 1,
    onCommitted: () => undefined,
    onLost: () => undefined, // The next append rejects.
  });
  let waiting: RegistryEvent[] = [];
  for (let number = 1; number <= IMAGES; number++) {
    waiting.push(...push(number));
    if (number % 100 > 0) continue;
    await writer.submit({ command: waiting, metadata: { correlationId: 'bench', actor: { name: 'bench' } } });
    waiting = [];
    if (number % 10_000 === 0) say(`  ${String(writer.position)} events written`);
  }
  await writer.close();
}

async function foldOn(reader: LedgerReader, from: StateAt<RegistryState>): Promise<RegistryState> {
  let { state } = from;
  for await (const events of reader.read({ after: from.position })) state = events.reduce(evolveStoredRegistry, state);
  return state;
}

async function fromSnapshot(reader: LedgerReader): Promise<RegistryState> {
  const kept = await readSealed(reader, {
    foldVersion: REGISTRY_FOLD_VERSION,
    decode: decodeRegistrySnapshot,
    onRefused: (_, reason) => {
      throw new Error(reason);
    },
  });
  if (kept === undefined) throw new Error('the snapshot is gone');
  return foldOn(reader, kept);
}

/** Loads the facts of 30,000 pushes: from zero, then from a snapshot of their end. */
export function benchRegistryStart(say: (text: string) => void): Promise<readonly Figure[]> {
  return withDatabase(async (url) => {
    await writePushes(url, say);
    const reader = openLedgerReader({ url, ledger: LEDGER, role: 'writer' });
    const zero = await timed(() => foldOn(reader, { state: emptyRegistryState, position: 0 }));
    const end = await reader.head();
    const chunks = [...sealed(encodeRegistrySnapshot(zero.result), end)];
    const saved = await timed(() =>
      reader.saveSnapshot({ position: end.position, foldVersion: REGISTRY_FOLD_VERSION, chunks }),
    );
    const cached = await timed(() => fromSnapshot(reader));
    await reader.close();
    const note = `${String(end.position)} events; the snapshot took ${saved.ms.toFixed(0)} ms to save`;
    return [
      { name: 'registry: facts from all events', value: zero.ms, unit: 'ms', limit: FROM_ZERO_MS, note },
      { name: 'registry: facts from a snapshot', value: cached.ms, unit: 'ms', limit: FROM_SNAPSHOT_MS, note },
    ];
  });
}
