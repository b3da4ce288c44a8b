/** Puts the log back from a backup: all of it or nothing, held until it was compared with the hosts. */
import { randomUUID } from 'node:crypto';
import { newEvent } from '@brickyard/domain';
import {
  canonicalEventHash,
  canonicalJson,
  eventIdAfter,
  type ChainEnd,
  type EventMetadata,
  type Finding,
  type RawEvent,
} from '@brickyard/event-sourcing';
import { ensureSchema, openRestoration, type Restoration } from '@brickyard/event-sourcing/postgres';
import { UsageError } from '../exit-codes';
import { type BackupFolder, openBackup } from './segments';
import { type BackupReport, walkBackup } from './verify-backup';

const CONTROL = 'control';

/** What to put back, and where. */
export interface RestoreOptions {
  readonly from: string;
  readonly pgUrl: string;
  readonly keys?: string;
  /** The last position of the control ledger that is wanted; absent: all. */
  readonly upTo?: number;
  /** Who does it, for the log. */
  readonly actor: string;
}

/** What came of it. */
export interface RestoreReport {
  readonly ledgers: readonly { readonly ledger: string; readonly head: ChainEnd; readonly vouchedUpTo: number }[];
  /** Nothing was put back when something was found. */
  readonly findings: readonly (Finding & { readonly ledger: string })[];
}

/** Puts every ledger of a backup into an empty database. */
export async function restoreFrom(options: RestoreOptions): Promise<RestoreReport> {
  const folders = await openBackup(options.from);
  await ensureSchema(options.pgUrl);
  const restoration = await openRestoration(options.pgUrl);
  try {
    await checkEmpty(restoration, folders);
    const reports: BackupReport[] = [];
    for (const folder of folders) reports.push(await restoreLedger(restoration, folder, options));
    const findings = reports.flatMap(({ ledger, findings: found }) => found.map((one) => ({ ledger, ...one })));
    const ledgers = reports.map(({ ledger, head, vouchedUpTo }) => ({ ledger, head, vouchedUpTo }));
    if (findings.length === 0) await restoration.commit();
    return { ledgers, findings };
  } finally {
    await restoration.close();
  }
}

async function checkEmpty(restoration: Restoration, folders: readonly BackupFolder[]): Promise<void> {
  const occupied = await restoration.occupied();
  if (occupied.length > 0) {
    throw new UsageError(`the database holds a log already (${occupied.join(', ')}); restore needs an empty one`);
  }
  for (const { ledger } of folders) {
    if (await restoration.isLed(ledger)) {
      throw new UsageError(`a service is at work on the ledger ${ledger} of this database; stop it first`);
    }
  }
}

async function restoreLedger(
  restoration: Restoration,
  folder: BackupFolder,
  { keys, upTo, actor, from }: RestoreOptions,
): Promise<BackupReport> {
  const { ledger } = folder;
  const positions = new Map<string, number>();
  const report = await walkBackup(folder, {
    ...(keys === undefined ? {} : { keys }),
    ...(upTo === undefined || ledger !== CONTROL ? {} : { upTo }),
    take: async (events, answers) => {
      for (const { streamId, position } of events) positions.set(streamId, position);
      // A broken chain may break the table's own rules as well: it is told by the walk, and nothing is committed.
      if (events.length > 0) await restoration.put(ledger, events, answers);
    },
  });
  if (report.findings.length > 0) return report;
  const streams = new Map(
    [...report.streams].map(([id, version]) => [id, { version, position: positions.get(id) ?? 0 }] as const),
  );
  let { head } = report;
  if (ledger === CONTROL) {
    const event = restoredEvent(report, from, actor);
    await restoration.put(ledger, [event], []);
    streams.set(event.streamId, { version: event.streamVersion, position: event.position });
    head = { position: event.position, hash: event.hash };
  }
  await restoration.finish(ledger, head, streams, report);
  return { ...report, head };
}

/** The fact that makes the allocator wait until the hosts were asked; it is in the log before anybody can lead. */
function restoredEvent({ head, streams, lastAt }: BackupReport, source: string, actor: string): RawEvent {
  const { position: restoredUpTo, hash } = head;
  const fact = newEvent({ type: 'LogRestored', version: 1, source, restoredUpTo, hash });
  const { streamId, type, version } = fact;
  const data = fact.text ?? canonicalJson(fact.data);
  const metadata: EventMetadata = { correlationId: randomUUID().replaceAll('-', ''), actor: { name: actor } };
  const metadataText = canonicalJson(metadata);
  const previous = Buffer.from(hash, 'hex');
  const position = restoredUpTo + 1;
  const now = new Date().toISOString();
  const header = {
    ledger: CONTROL,
    position,
    streamId,
    streamVersion: (streams.get(streamId) ?? 0) + 1,
    eventId: eventIdAfter(previous, CONTROL, position),
    type,
    version,
    recordedAt: now > lastAt ? now : lastAt,
  };
  const own = canonicalEventHash(previous, header, data, metadataText).toString('hex');
  return { ...header, data, metadata: metadataText, hash: own };
}
