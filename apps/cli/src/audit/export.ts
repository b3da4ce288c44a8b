/** `brickyard audit export`: a part of the log as a file that proves itself, with the program that checks it. */
import type { KeyObject } from 'node:crypto';
import { copyFile, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GENESIS_HASH, type Checkpoint, type HandOver } from '@brickyard/event-sourcing';
import { openAuditSource, readKeyring, type AuditSource } from '@brickyard/event-sourcing/postgres';
import { UsageError } from '../exit-codes';
import { eventLine } from './event-line';
import { refuseUnknown } from './verify';

export interface ExportOptions {
  readonly pgUrl: string;
  readonly ledger: string;
  readonly out: string;
  /** First and last position; the whole ledger when absent. */
  readonly from?: number;
  readonly to?: number;
  /** File or folder of the public keys that signed. */
  readonly keys?: string;
}

export interface ExportReport {
  readonly bundle: string;
  readonly verifier: string;
  readonly from: number;
  readonly to: number;
  readonly events: number;
  /** Where one signing key handed over to the next, from the first on. */
  readonly handOvers: number;
  readonly checkpoints: number;
  readonly headHash: string;
}

const FORMAT = 'brickyard-audit-1';
/** The stand-alone verifier as it is shipped. */
const VERIFIER = join(__dirname, '..', '..', 'assets', 'verify-bundle.mjs');

/** Writes the bundle, whole or not at all, and the verifier beside it. */
export async function exportBundle(options: ExportOptions): Promise<ExportReport> {
  const { pgUrl, ledger, out } = options;
  const draft = `${out}.partial`;
  const source = await openAuditSource(pgUrl, ledger);
  try {
    const file = await open(draft, 'w', 0o644);
    const report = await write(file, source, options).finally(() => file.close());
    await rename(draft, out);
    const verifier = join(dirname(out), 'verify-bundle.mjs');
    await copyFile(VERIFIER, verifier);
    return { bundle: out, verifier, ...report };
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

type Written = Omit<ExportReport, 'bundle' | 'verifier'>;

async function write(file: FileHandle, source: AuditSource, options: ExportOptions): Promise<Written> {
  const standing = await source.standing();
  const { head, checkpoints, handOvers } = standing;
  refuseUnknown(options.ledger, standing);
  const { from = 1, to = head.position, ledger } = options;
  if (from < 1 || to > head.position || from > to + 1) {
    throw new UsageError(
      `positions ${String(from)} to ${String(to)} are not in the ledger, which ends at ${String(head.position)}`,
    );
  }
  const keys = options.keys === undefined ? [] : [...(await readKeyring(options.keys)).entries()];
  const boundaryHash = await hashBefore(source, from);
  const exportedAt = new Date().toISOString();
  const header = { kind: 'header', format: FORMAT, ledger, from, to, boundaryHash, exportedAt, keys: keys.map(pemOf) };
  await file.appendFile(`${JSON.stringify(header)}\n`);
  const covered = checkpoints.filter(({ position }) => position >= from && position <= to);
  let written = 0;
  let headHash = boundaryHash;
  for await (const events of source.readRaw({ after: from - 1, upTo: to })) {
    await file.appendFile(events.map(eventLine).join(''));
    written += events.length;
    headHash = events.at(-1)?.hash ?? headHash;
  }
  // Those before the part, too: they lead from the key that is trusted to the one that signed.
  const handed = handOvers.filter(({ position }) => position <= to);
  await file.appendFile(handed.map(handOverRow).join(''));
  await file.appendFile(covered.map(checkpointRow).join(''));
  const footer = {
    kind: 'footer',
    events: written,
    handOvers: handed.length,
    checkpoints: covered.length,
    headHash,
  };
  await file.appendFile(`${JSON.stringify(footer)}\n`);
  await file.sync();
  return { from, to, events: written, handOvers: handed.length, checkpoints: covered.length, headHash };
}

async function hashBefore(source: AuditSource, from: number): Promise<string> {
  if (from === 1) return GENESIS_HASH;
  for await (const [event] of source.readRaw({ after: from - 2, upTo: from - 1 }))
    if (event !== undefined) return event.hash;
  throw new UsageError(`position ${String(from - 1)} is not in the ledger`);
}

const handOverRow = (handOver: HandOver): string => `${JSON.stringify({ kind: 'hand-over', ...handOver })}\n`;

const checkpointRow = (checkpoint: Checkpoint): string => `${JSON.stringify({ kind: 'checkpoint', ...checkpoint })}\n`;

const pemOf = ([keyId, key]: readonly [string, KeyObject]): { readonly keyId: string; readonly pem: string } => ({
  keyId,
  pem: key.export({ type: 'spki', format: 'pem' }).toString(),
});
