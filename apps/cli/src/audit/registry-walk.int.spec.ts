/** The audit of the registry's ledger: its fold, and its snapshots. */
import type { RegistryEvent } from '@brickyard/contracts';
import {
  emptyRegistryState,
  encodeRegistrySnapshot,
  evolveStoredRegistry,
  newRegistryEvent,
  REGISTRY_FOLD_VERSION,
  type RegistryState,
} from '@brickyard/domain/registry';
import { migrate, openLedgerReader, openLedgerWriter, sealed } from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import { verifyLedger, type Check } from './verify';

const LEDGER = 'registry';
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

let url: string;
beforeEach(async () => {
  url = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '', 'registry_audit');
  await migrate(url);
});
afterEach(() => dropDatabase(url));

/** Four events, with a snapshot after the second that may be told otherwise. */
async function written(told: (line: string) => string = (line) => line): Promise<void> {
  const writer = await openLedgerWriter<RegistryState, readonly RegistryEvent[], string>({
    url,
    ledger: LEDGER,
    restore: () => Promise.resolve({ state: emptyRegistryState, position: 0 }),
    decide: (facts) => ({ events: facts.map(newRegistryEvent), reply: 'told' }),
    evolve: evolveStoredRegistry,
    onCommitted: () => undefined,
    onLost: () => undefined,
  });
  const reader = openLedgerReader({ url, ledger: LEDGER, role: 'writer' });
  const submit = (...facts: readonly object[]) =>
    writer.submit({ command: facts as never, metadata: { correlationId: 'c', actor: { name: 'push' } } });
  const blob = { digest: digest('a'), size: 3 };
  await submit(
    { type: 'BlobStored', version: 1, ...blob, file: 'blobs/a' },
    { type: 'BlobLinked', version: 1, ...blob, repository: 'app' },
  );
  const { position, hash } = await reader.head();
  const lines = [...encodeRegistrySnapshot(writer.state)].map(told);
  await reader.saveSnapshot({
    position,
    foldVersion: REGISTRY_FOLD_VERSION,
    chunks: [...sealed(lines, { position, hash })],
  });
  await submit({ type: 'BlobUnlinked', version: 1, repository: 'app', digest: digest('a'), cause: 'request' });
  await Promise.all([writer.close(), reader.close()]);
}

/** An event whose type nobody knows yet. */
async function writtenLater(): Promise<void> {
  const writer = await openLedgerWriter<undefined, undefined, string>({
    url,
    ledger: LEDGER,
    restore: () => Promise.resolve({ state: undefined, position: 3 }),
    decide: () => ({
      events: [{ streamId: 'repository-app', type: 'BlobFrozen', version: 1, data: {} }],
      reply: 'told',
    }),
    evolve: () => undefined,
    onCommitted: () => undefined,
    onLost: () => undefined,
  });
  await writer.submit({ command: undefined, metadata: { correlationId: 'c', actor: { name: 'push' } } });
  await writer.close();
}

async function checks(): Promise<Partial<Record<Check['name'], Check>>> {
  const report = await verifyLedger({ pgUrl: url, ledger: LEDGER, checkpointFiles: [] });
  return Object.fromEntries(report.checks.map((check) => [check.name, check]));
}

describe('brickyard audit verify of the registry', () => {
  it('folds its events and compares its snapshots', async () => {
    await written();
    const { fold, snapshots } = await checks();
    expect(fold).toMatchObject({
      done: true,
      findings: [],
      said: expect.stringContaining('3 events folded') as string,
    });
    expect(snapshots).toMatchObject({ findings: [], said: expect.stringContaining('1 of registry-') as string });
  });

  it('ends at an event of a later release, and names it', async () => {
    await written();
    await writtenLater();
    const { fold, snapshots } = await checks();
    expect(fold).toMatchObject({ done: false, findings: [] });
    expect(fold?.said).toMatch(
      /3 events folded .*\(BlobFrozen, version 1\) was written by a later release.*nothing from there on was folded/,
    );
    expect(snapshots).toMatchObject({ findings: [], said: expect.stringContaining('1 of registry-') as string });
  });

  it('names a snapshot that its events do not fold to, though its seal holds', async () => {
    await written((line) => line.replace('"size":3', '"size":4'));
    const { fold, snapshots } = await checks();
    expect(fold?.findings).toEqual([]);
    expect(snapshots?.findings).toMatchObject([{ kind: 'snapshot', position: 2 }]);
  });
});
