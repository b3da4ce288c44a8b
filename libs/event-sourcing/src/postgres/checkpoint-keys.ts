/** The key that signs checkpoints and the keys that are trusted, as files. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { link, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { keyIdOf, type Keyring } from '../checkpoint';

const PEM = /-----BEGIN (PUBLIC|PRIVATE) KEY-----[^-]+-----END \1 KEY-----/g;
const KEY_FILE = /\.(pem|pub)$/;
const OTHERS = 0o077;

/** A key file that cannot be used; the message says why, never what is in it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/**
 * Reads the private key of a file, or makes both: PEM, readable for its owner alone, with the public half beside it as
 * `<file>.pub`. Of several processes that start at once one makes the key and all use it.
 */
export async function ensureSigningKey(file: string): Promise<KeyObject> {
  const known = await readSigningKey(file);
  if (known !== undefined) return known;
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await writePublicHalf(`${file}.pub`, publicKey);
  await writeOnce(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600, true);
  const made = await readSigningKey(file);
  if (made === undefined) throw new KeyFileError(`${file} is gone again`);
  // Another process may have been first with the private half: then its public half belongs beside it.
  await writePublicHalf(`${file}.pub`, made);
  return made;
}

/** Writes the public half of a key, readable for everybody. */
export async function writePublicHalf(file: string, key: KeyObject): Promise<void> {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  await writeOnce(file, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644, false);
}

/** The trusted keys of a file of PEM blocks, or of a folder of such files (`*.pem`, `*.pub`). Private keys count as their public half. */
export async function readKeyring(path: string): Promise<Keyring> {
  const isFolder = (await stat(path)).isDirectory();
  const files = isFolder
    ? (await readdir(path)).filter((name) => KEY_FILE.test(name)).map((name) => join(path, name))
    : [path];
  const keys = new Map<string, KeyObject>();
  for (const file of files.sort()) {
    for (const key of publicKeysIn(file, await readFile(file, 'utf8'))) keys.set(keyIdOf(key), key);
  }
  if (keys.size === 0) throw new KeyFileError(`${path} holds no Ed25519 key in PEM form`);
  return keys;
}

function publicKeysIn(file: string, text: string): KeyObject[] {
  return [...text.matchAll(PEM)].map(([pem]) => ed25519(file, () => createPublicKey(pem)));
}

/** The private key of a file that only its owner can read; undefined when there is no such file. */
export async function readSigningKey(file: string): Promise<KeyObject | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw new KeyFileError(`${file} cannot be read`, { cause: error });
  });
  if (text === undefined) return undefined;
  const { mode } = await stat(file);
  if ((mode & OTHERS) !== 0) throw new KeyFileError(`${file} is open to others than its owner: chmod 600 it`);
  return ed25519(file, () => createPrivateKey(text));
}

function ed25519(file: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    throw new KeyFileError(`${file} holds no key in PEM form`); // Without the cause: it may quote the key.
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new KeyFileError(`${file} holds a key of another kind than Ed25519`);
  return key;
}

/** Writes a file whole or not at all; with `isFirst` a file that is there stays as it is. */
async function writeOnce(file: string, text: string, mode: number, isFirst: boolean): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    if (!isFirst) await unlink(file).catch(ignoring('ENOENT'));
    await link(draft, file).catch(ignoring('EEXIST'));
  } finally {
    await unlink(draft);
  }
}

const ignoring =
  (code: string) =>
  (error: unknown): void => {
    if (!isErrno(error, code)) throw error;
  };

const isErrno = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;
