/** The auditor's look at signed checkpoints, from the table and from files, while walking along the ledger. */
import { verifyCheckpoint, type Checkpoint, type Keyring } from './checkpoint';
import type { ChainEnd } from './event-log';
import {
  compareHandOvers,
  followHandOvers,
  titleOf,
  type HandOverFindingKind,
  type HandOverSource,
  type Offices,
} from './hand-over';
import type { Finding } from './tampering';

/**
 * What is wrong with a checkpoint. `checkpoint-forged`: nobody trusted has signed this; `key-retired`: signed by a key
 * that had handed over before; `checkpoint-mismatch`: signed, and the ledger is another one now; `checkpoint-beyond-end`: signed, and the ledger is shorter now; `checkpoint-missing`:
 * one place has it and another has not; `checkpoint-disorder`: a file that was not only appended to.
 */
export type CheckpointFindingKind =
  | 'checkpoint-forged'
  | 'key-retired'
  | 'checkpoint-mismatch'
  | 'checkpoint-beyond-end'
  | 'checkpoint-missing'
  | 'checkpoint-disorder';

type CheckpointFinding = Finding<CheckpointFindingKind | HandOverFindingKind>;

/** Checkpoints of one ledger, hand-overs of the keys that signed them, and where they are kept: the table, or the path of a file. */
export interface CheckpointSource extends HandOverSource {
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
  /** Hand-overs that were followed. */
  readonly handOvers: number;
}

/** The word of a key for the hash at a position. */
interface Word extends ChainEnd {
  /** As a report begins: who vouches. */
  readonly who: string;
  readonly isCheckpoint: boolean;
}

/** Begins the look. Without keys no signature is checked, only hashes. */
export function auditCheckpoints(sources: readonly CheckpointSource[], trusted: Keyring | undefined): CheckpointAudit {
  const { offices, findings: wrong } = followHandOvers(sources, trusted);
  const findings: CheckpointFinding[] = [...wrong];
  const waiting = new Map<number, Word[]>();
  const expect = (word: Word): void => {
    waiting.set(word.position, [...(waiting.get(word.position) ?? []), word]);
  };
  for (const { name, checkpoints, handOvers } of sources) {
    for (const checkpoint of checkpoints) {
      const finding = trusted === undefined ? undefined : signatureFinding(name, checkpoint, offices);
      if (finding !== undefined) findings.push(finding);
      else expect({ ...checkpoint, who: name, isCheckpoint: true });
    }
    for (const handOver of handOvers) {
      const isFollowed = trusted === undefined || offices.get(handOver.from)?.handedOver?.number === handOver.number;
      if (isFollowed) expect({ ...handOver, who: titleOf(name, handOver), isCheckpoint: false });
    }
  }
  let fitting = 0;
  let vouchedUpTo = 0;
  return {
    take({ position, hash }) {
      const here = waiting.get(position);
      if (here === undefined) return;
      waiting.delete(position);
      for (const word of here) {
        if (word.hash !== hash) findings.push(mismatch(word, hash, vouchedUpTo));
        else if (word.isCheckpoint) fitting += 1;
      }
      if (trusted !== undefined && here.some((word) => word.hash === hash)) vouchedUpTo = position;
    },
    end(head) {
      for (const word of [...waiting.values()].flat()) if (word.position > 0) findings.push(beyond(word, head));
      return {
        findings: [...findings].sort((one, other) => one.position - other.position),
        fitting,
        vouchedUpTo,
        handOvers: [...offices.values()].filter(({ handedOver }) => handedOver !== undefined).length,
      };
    },
  };
}

function signatureFinding(name: string, checkpoint: Checkpoint, offices: Offices): CheckpointFinding | undefined {
  const { position, keyId } = checkpoint;
  const verdict = verifyCheckpoint(checkpoint, new Map([...offices].map(([id, { key }]) => [id, key])));
  const finding = (kind: CheckpointFindingKind, why: string): CheckpointFinding => ({
    kind,
    position,
    detail: `checkpoint of position ${String(position)} in ${name}: ${why}`,
  });
  if (verdict !== 'valid') {
    const why = {
      forged: `the signature is not that of key ${keyId} over these values`,
      'unknown-key': `it is signed by key ${keyId}, which is not trusted and which no trusted key handed over to`,
      unsigned: 'it has no signature',
    }[verdict];
    return finding('checkpoint-forged', why);
  }
  const { since = 0, cameBy = 0, handedOver } = offices.get(keyId) ?? {};
  if (position < since) {
    const why = `key ${keyId} was handed over to at position ${String(since)} only (number ${String(cameBy)})`;
    return finding('checkpoint-forged', why);
  }
  if (handedOver === undefined || position <= handedOver.position) return undefined;
  const { number, to } = handedOver;
  const why = `key ${keyId} signed it, which had handed over to ${to} at position ${String(handedOver.position)} (number ${String(number)})`;
  return finding('key-retired', why);
}

function mismatch({ who, position, hash }: Word, actual: string, fits: number): CheckpointFinding {
  const since = fits === 0 ? 'the beginning' : `position ${String(fits)}`;
  const detail = `${who} vouches for hash ${hash} at position ${String(position)}, but the ledger has ${actual}: it was rewritten after ${since}`;
  return { kind: 'checkpoint-mismatch', position, detail };
}

function beyond({ who, position }: Word, head: ChainEnd): CheckpointFinding {
  const detail =
    position > head.position
      ? `${who} vouches for position ${String(position)}, but the ledger ends at ${String(head.position)}: its tail was cut off`
      : `${who} vouches for position ${String(position)}, at which no event stands`;
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
    ...compareHandOvers(table, files),
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
