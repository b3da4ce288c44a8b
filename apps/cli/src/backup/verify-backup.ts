/** A walk through a backup, without a database: whether it is whole, and the log it holds the one that was written. */
import {
  auditChain,
  auditCheckpoints,
  GENESIS,
  type ChainEnd,
  type Checkpoint,
  type Finding,
  type HandOver,
  type RawEvent,
} from '@brickyard/event-sourcing';
import { readKeyring, type KeptAnswer } from '@brickyard/event-sourcing/postgres';
import { type BackupFolder, BrokenSegment, inOrder } from './segments';

/** What a walk found. */
export interface BackupReport {
  readonly ledger: string;
  /** Where it ends. */
  readonly head: ChainEnd;
  readonly segments: number;
  readonly checkpoints: readonly Checkpoint[];
  readonly handOvers: readonly HandOver[];
  /** The highest position a trusted key vouches for; 0 when none does, or no keys were given. */
  readonly vouchedUpTo: number;
  /** Version of every stream. */
  readonly streams: ReadonlyMap<string, number>;
  readonly lastAt: string;
  readonly findings: readonly Finding[];
}

/** How to walk. */
export interface BackupWalk {
  /** File or folder of trusted public keys; absent: no signature is checked. */
  readonly keys?: string;
  /** Events after this position are left alone. */
  readonly upTo?: number;
  /** Told every event and answer in order, before it is known whether all is well. */
  readonly take?: (events: readonly RawEvent[], answers: readonly KeptAnswer[]) => Promise<void>;
}

/** Walks through one ledger of a backup. */
export async function walkBackup(folder: BackupFolder, walk: BackupWalk = {}): Promise<BackupReport> {
  const { upTo = Number.MAX_SAFE_INTEGER, take } = walk;
  const { checkpoints, handOvers, broken } = await signedUpTo(folder, upTo);
  const trusted = walk.keys === undefined ? undefined : await readKeyring(walk.keys);
  const vouching = auditCheckpoints([{ name: 'checkpoints.jsonl', checkpoints, handOvers }], trusted);
  const chain = auditChain(folder.ledger);
  const findings: Finding[] = [];
  let head: ChainEnd = GENESIS;
  let lastAt = '';
  let segments = 0;
  for (const segment of inOrder(await folder.segments())) {
    if (segment.from > upTo) break;
    const content = await folder.readSegment(segment).catch((error: unknown) => {
      if (!(error instanceof BrokenSegment)) throw error;
      findings.push({ kind: 'broken-file', position: segment.from, detail: error.message });
      return undefined;
    });
    if (content === undefined) continue;
    segments += 1;
    const after = head.position;
    const isWanted = ({ position }: { readonly position: number }): boolean => position > after && position <= upTo;
    const events = content.events.filter(isWanted);
    for (const event of events) {
      chain.take(event);
      vouching.take(event);
      head = { position: event.position, hash: event.hash };
      lastAt = event.recordedAt;
    }
    await take?.(events, content.answers.filter(isWanted));
  }
  const vouched = vouching.end(head);
  findings.push(...chain.end(await expectedEnd(folder, head, upTo)), ...vouched.findings);
  if (broken > 0) {
    const detail = `checkpoints.jsonl has ${String(broken)} lines that are neither checkpoints nor hand-overs`;
    findings.push({ kind: 'checkpoint-broken', position: head.position, detail });
  }
  return {
    ledger: folder.ledger,
    head,
    segments,
    checkpoints,
    handOvers,
    vouchedUpTo: vouched.vouchedUpTo,
    streams: chain.streams,
    lastAt,
    findings,
  };
}

/** What was signed up to a position, and how many lines are nothing of the kind. */
async function signedUpTo(
  folder: BackupFolder,
  upTo: number,
): Promise<Pick<BackupReport, 'checkpoints' | 'handOvers'> & { readonly broken: number }> {
  const { checkpoints, handOvers, brokenLines } = await folder.checkpoints();
  const isWanted = ({ position }: ChainEnd): boolean => position <= upTo;
  return {
    checkpoints: checkpoints.filter(isWanted),
    handOvers: handOvers.filter(isWanted),
    broken: brokenLines.length,
  };
}

/** A crash may have come between the last segment and the manifest, but never the other way round. */
async function expectedEnd(folder: BackupFolder, head: ChainEnd, upTo: number): Promise<ChainEnd> {
  const manifest = await folder.manifest().catch(() => undefined);
  return manifest === undefined || manifest.position > upTo || manifest.position < head.position ? head : manifest;
}
