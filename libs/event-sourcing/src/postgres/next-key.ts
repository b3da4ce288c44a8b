/** The key that is to follow the signing key, as a file beside it. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, chown, link, open, rename, stat, unlink } from 'node:fs/promises';
import { keyIdOf } from '../checkpoint';
import { KeyFileError, readSigningKey, writePublicHalf } from './checkpoint-keys';

/** Where the next key waits until the old one has handed over. */
export const nextKeyFile = (file: string): string => `${file}.next`;

/** The key in office and the one that waits to follow it. */
export interface KeysInTurn {
  readonly current: KeyObject;
  readonly next: KeyObject;
}

/**
 * Makes the key that is to follow: `<file>.next`, mode 0600, of the same owner as the key's file. One that waits already is
 * taken. Refuses when there is no key to follow.
 */
export async function prepareNextKey(file: string): Promise<KeysInTurn> {
  const current = await readSigningKey(file);
  if (current === undefined) throw new KeyFileError(`${file} is missing: there is no key that could hand over`);
  const waiting = await readSigningKey(nextKeyFile(file));
  if (waiting !== undefined) return { current, next: waiting };
  await makeNextKey(file);
  const next = await readSigningKey(nextKeyFile(file));
  if (next === undefined) throw new KeyFileError(`${nextKeyFile(file)} is gone again`);
  return { current, next };
}

/** Lets the waiting key take the place of the old one, whose private half is gone then; its public half stays, as `<file>.<id>.pub`. */
export async function installNextKey(file: string, { current, next }: KeysInTurn): Promise<void> {
  await writePublicHalf(`${file}.${keyIdOf(current)}.pub`, current);
  await rename(nextKeyFile(file), file);
  await writePublicHalf(`${file}.pub`, next);
}

/** Whole or not at all, and for its owner alone from the first moment on. */
async function makeNextKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const draft = `${nextKeyFile(file)}.${keyIdOf(createPublicKey(privateKey)).slice(0, 12)}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    const { uid, gid } = await stat(file);
    const mine = await stat(draft);
    if (mine.uid !== uid || mine.gid !== gid) await chown(draft, uid, gid);
    await chmod(draft, 0o600);
    await link(draft, nextKeyFile(file)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // Another process was first: its key is taken.
    });
  } finally {
    await unlink(draft);
  }
}
