/** The key that signs the log, and how it hands over to the next one while the allocator works. */
import type { KeyObject } from 'node:crypto';
import { keyIdOf, signHandOver, type ChainEnd, type HandOver } from '@brickyard/event-sourcing';
import {
  appendHandOver,
  ensureSigningKey,
  installNextKey,
  KeyFileError,
  mendCheckpointFile,
  nextKeyFile,
  readSigningKey,
  type CheckpointTable,
} from '@brickyard/event-sourcing/postgres';
import type { Logger } from '@brickyard/service-host';

export interface SigningKeyOptions {
  readonly keyFile: string;
  /** File of checkpoints that gets hand-overs as well; absent: only the table has them. */
  readonly file?: string;
  readonly ledger: string;
  readonly table: CheckpointTable;
  readonly clock: () => number;
  readonly log: Logger;
}

export interface SigningKey {
  /** The key in office; undefined when it has handed over to one that is not here. */
  current(): KeyObject | undefined;
  /** Lets the key that waits beside the key's file follow, if one does. `end` is the log's. */
  turn(end: ChainEnd): Promise<void>;
}

/** Reads the key, or makes it; only the leader may. */
export async function openSigningKey(options: SigningKeyOptions): Promise<SigningKey> {
  const { keyFile, file, ledger, table, clock, log } = options;
  let current = await ensureSigningKey(keyFile);
  let handOvers = await table.handOvers();
  /** Whether the table and the file may have more than is known here. */
  let isStale = file !== undefined;
  let isRetiredTold = false;

  const successor = (): HandOver | undefined => handOvers.find(({ from }) => from === keyIdOf(current));
  const catchUp = async (): Promise<void> => {
    handOvers = await table.handOvers();
    if (file !== undefined) await complete(file, handOvers, ledger);
    isStale = false;
  };
  const handOver = async (next: KeyObject, { position, hash }: ChainEnd): Promise<void> => {
    if (handOvers.some(({ from }) => from === keyIdOf(next))) {
      throw new KeyFileError(`${nextKeyFile(keyFile)} holds a key that has retired already: remove it`);
    }
    isStale = true; // Also when the table's answer is lost: then it may have it.
    const at = new Date(clock()).toISOString();
    await table.saveHandOver(
      signHandOver({ ledger, position, hash, at }, handOvers.at(-1), { old: current, fresh: next }),
    );
    await catchUp();
  };
  const install = async (next: KeyObject): Promise<void> => {
    const from = keyIdOf(current);
    await installNextKey(keyFile, { current, next });
    current = next;
    isRetiredTold = false;
    log.info({ from, to: keyIdOf(next) }, 'the key that signs checkpoints has handed over');
  };
  /** The key here was handed over elsewhere: whoever keeps its copies brings the new one. */
  const awaitCopy = async (to: string): Promise<void> => {
    const found = await readSigningKey(keyFile);
    if (found !== undefined && keyIdOf(found) !== keyIdOf(current)) {
      current = found;
      isRetiredTold = false;
      return;
    }
    if (isRetiredTold) return;
    isRetiredTold = true;
    log.error(
      { keyFile, from: keyIdOf(current), to },
      'this key has handed over: nothing is signed until its file holds the new one',
    );
  };

  return {
    current: () => (successor() === undefined ? current : undefined),
    async turn(end) {
      if (isStale) await catchUp();
      const next = await readSigningKey(nextKeyFile(keyFile));
      if (next !== undefined && successor() === undefined) await handOver(next, end);
      const to = successor()?.to;
      if (to === undefined) return;
      if (next !== undefined && keyIdOf(next) === to) await install(next);
      else await awaitCopy(to);
    },
  };
}

/** Gives the file the hand-overs that it lacks at its end: each file is to tell the whole chain. */
async function complete(file: string, handOvers: readonly HandOver[], ledger: string): Promise<void> {
  const kept = (await mendCheckpointFile(file)).handOvers.filter((one) => one.ledger === ledger);
  const last = Math.max(0, ...kept.map(({ number }) => number));
  for (const handOver of handOvers) if (handOver.number > last) await appendHandOver(file, handOver);
}
