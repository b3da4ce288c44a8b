/** The auditor's look at signed checkpoints, from the table and from files, while walking along the ledger. */
import { verifyCheckpoint, type Checkpoint, type Keyring } from './checkpoint';
import type { ChainEnd } from './event-log';
import type { Finding } from './tampering';

/**
 * What is wrong with a checkpoint. `checkpoint-forged`: nobody trusted has signed this; `checkpoint-mismatch`: signed, and
 * the ledger is another one now; `checkpoint-beyond-end`: signed, and the ledger is shorter now; `checkpoint-missing`:
 * one place has it and another has not; `checkpoint-disorder`: a file that was not only appended to.
 */
export type CheckpointFindingKind =
  'checkpoint-forged' | 'checkpoint-mismatch' | 'checkpoint-beyond-end' | 'checkpoint-missing' | 'checkpoint-disorder';

type CheckpointFinding = Finding<CheckpointFindingKind>;

/** Checkpoints of one ledger and where they are kept. */
export interface CheckpointSource {
  /** As a report names it: the table, or the path of a file. */
  readonly name: string;
  readonly checkpoints: readonly Checkpoint[];
}

/** A look at checkpoints that goes along with the walk over the events. */
export interface CheckpointAudit {
  /** Tells the recorded hash of the next event. */
  take(event: ChainEnd): void;
  end(head: ChainEnd): CheckpointReport;
}

/** What came of it. */
export interface CheckpointReport {
  readonly findings: readonly CheckpointFinding[];
  /** Checkpoints with a valid signature whose hash is that of the ledger. */
  readonly fitting: number;
  /** The highest position that a trusted key vouches for; 0 when none does. */
  readonly vouchedUpTo: number;
}

/** Begins the look. Without keys no signature is checked, only hashes. */
export function auditCheckpoints(sources: readonly CheckpointSource[], trusted: Keyring | undefined): CheckpointAudit {
  const findings: CheckpointFinding[] = [];
  const waiting = new Map<number, { readonly name: string; readonly checkpoint: Checkpoint }[]>();
  for (const { name, checkpoints } of sources) {
    for (const checkpoint of checkpoints) {
      const finding = trusted === undefined ? undefined : signatureFinding(name, checkpoint, trusted);
      if (finding !== undefined) findings.push(finding);
      else waiting.set(checkpoint.position, [...(waiting.get(checkpoint.position) ?? []), { name, checkpoint }]);
    }
  }
  let fitting = 0;
  let vouchedUpTo = 0;
  return {
    take({ position, hash }) {
      const here = waiting.get(position);
      if (here === undefined) return;
      waiting.delete(position);
      for (const { name, checkpoint } of here) {
        if (checkpoint.hash !== hash) findings.push(mismatch(name, checkpoint, hash, vouchedUpTo));
        else fitting += 1;
      }
      if (trusted !== undefined && here.some(({ checkpoint }) => checkpoint.hash === hash)) vouchedUpTo = position;
    },
    end(head) {
      for (const { name, checkpoint } of [...waiting.values()].flat()) findings.push(beyond(name, checkpoint, head));
      return { findings: [...findings].sort((one, other) => one.position - other.position), fitting, vouchedUpTo };
    },
  };
}

function signatureFinding(name: string, checkpoint: Checkpoint, trusted: Keyring): CheckpointFinding | undefined {
  const verdict = verifyCheckpoint(checkpoint, trusted);
  if (verdict === 'valid') return undefined;
  const why = {
    forged: `the signature is not that of key ${checkpoint.keyId} over these values`,
    'unknown-key': `it is signed by key ${checkpoint.keyId}, which is not trusted`,
    unsigned: 'it has no signature',
  }[verdict];
  const detail = `checkpoint of position ${String(checkpoint.position)} in ${name}: ${why}`;
  return { kind: 'checkpoint-forged', position: checkpoint.position, detail };
}

function mismatch(name: string, { position, hash }: Checkpoint, actual: string, fits: number): CheckpointFinding {
  const since = fits === 0 ? 'the beginning' : `position ${String(fits)}`;
  const detail = `${name} vouches for hash ${hash} at position ${String(position)}, but the ledger has ${actual}: it was rewritten after ${since}`;
  return { kind: 'checkpoint-mismatch', position, detail };
}

function beyond(name: string, { position }: Checkpoint, head: ChainEnd): CheckpointFinding {
  const detail =
    position > head.position
      ? `${name} vouches for position ${String(position)}, but the ledger ends at ${String(head.position)}: its tail was cut off`
      : `${name} vouches for position ${String(position)}, at which no event stands`;
  return { kind: 'checkpoint-beyond-end', position: Math.min(position, head.position + 1), detail };
}

/** What the table and the files do not have alike, and files that go back. A checkpoint needs to be in one of the files only. */
export function compareCheckpoints(table: CheckpointSource, files: readonly CheckpointSource[]): CheckpointFinding[] {
  if (files.length === 0) return [];
  const keyOf = ({ position, hash }: Checkpoint): string => `${String(position)}/${hash}`;
  const inTable = new Set(table.checkpoints.map(keyOf));
  const inFiles = new Set(files.flatMap(({ checkpoints }) => checkpoints.map(keyOf)));
  const names = files.map(({ name }) => name).join(', ');
  const lacks = (where: string, other: string, { position }: Checkpoint): CheckpointFinding => {
    const detail = `${other} has a checkpoint of position ${String(position)} that ${where} has not, or has otherwise`;
    return { kind: 'checkpoint-missing', position, detail };
  };
  return [
    ...table.checkpoints.filter((one) => !inFiles.has(keyOf(one))).map((one) => lacks(names, table.name, one)),
    ...files.flatMap(({ name, checkpoints }) =>
      checkpoints.filter((one) => !inTable.has(keyOf(one))).map((one) => lacks(table.name, name, one)),
    ),
    ...files.flatMap(disorder),
  ];
}

function disorder({ name, checkpoints }: CheckpointSource): CheckpointFinding[] {
  return checkpoints.flatMap(({ position }, index) => {
    const before = checkpoints[index - 1]?.position ?? 0;
    if (position > before) return [];
    const detail = `${name} goes from position ${String(before)} to ${String(position)}: it was changed, or the ledger was shorter then`;
    return [{ kind: 'checkpoint-disorder' as const, position, detail }];
  });
}
