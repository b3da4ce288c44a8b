/** `brickyard audit rotate-key`: a new signing key, which the one in office hands over to. */
import { setTimeout as delay } from 'node:timers/promises';
import { keyIdOf, Unavailable, type HandOver } from '@brickyard/event-sourcing';
import {
  KeyFileError,
  nextKeyFile,
  openCheckpointTable,
  prepareNextKey,
  readSigningKey,
  type CheckpointTable,
} from '@brickyard/event-sourcing/postgres';

export interface RotateOptions {
  readonly pgUrl: string;
  readonly ledger: string;
  /** The private key that signs now, as the allocator reads it. */
  readonly keyFile: string;
  readonly waitMs: number;
}

const LOOK_EVERY_MS = 250;

/** Makes the next key and waits until the leading allocator has handed over to it, and reads it from the key's file. */
export async function rotateKey(options: RotateOptions): Promise<HandOver> {
  const { pgUrl, ledger, keyFile, waitMs } = options;
  const table = openCheckpointTable({ url: pgUrl, ledger });
  try {
    await refuseRetired(table, keyFile);
    const { next } = await prepareNextKey(keyFile);
    const to = keyIdOf(next);
    const until = performance.now() + waitMs;
    for (;;) {
      const found = (await table.handOvers()).find((one) => one.to === to);
      const installed = found === undefined ? undefined : await readSigningKey(keyFile);
      if (found !== undefined && installed !== undefined && keyIdOf(installed) === to) return found;
      if (performance.now() > until) throw new Unavailable(notYet(keyFile, to, waitMs));
      await delay(LOOK_EVERY_MS);
    }
  } finally {
    await table.close();
  }
}

/** A copy of a key that handed over elsewhere can hand over to nobody. Asked before anything is made. */
async function refuseRetired(table: CheckpointTable, keyFile: string): Promise<void> {
  const handOvers = await table.handOvers();
  const [current, next] = [await readSigningKey(keyFile), await readSigningKey(nextKeyFile(keyFile))];
  const gone = handOvers.find(({ from }) => current !== undefined && from === keyIdOf(current));
  if (gone === undefined || (next !== undefined && keyIdOf(next) === gone.to)) return;
  throw new KeyFileError(
    `${keyFile} holds key ${gone.from}, which has handed over to ${gone.to}: put that key there first`,
  );
}

const notYet = (keyFile: string, to: string, waitMs: number): string =>
  `key ${to} waits in ${nextKeyFile(keyFile)}, but no allocator has let it follow within ${String(Math.round(waitMs / 1_000))} s; ` +
  'the one that leads does so when it signs next (BRICKYARD_CHECKPOINT_SECONDS), if BRICKYARD_CHECKPOINT_KEY_FILE is this file; run this again to look';
