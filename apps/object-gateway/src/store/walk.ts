/** The keys of a bucket in order, read from its folders as far as they are needed. */
import { opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from './durable-file';
import { compareKeys, DEPTH_MAX, FOLDER, folderNames, MORE, OBJECT } from './key-path';

/** Which keys: those that begin with `prefix` and come after `after`. */
export interface WalkQuery {
  readonly prefix: string;
  readonly after: string;
  /** Folders within the prefix are told as such and not gone into. */
  readonly isFlat: boolean;
}

/** A key with the path of its record, or what several keys have in common up to a slash. */
export type Found =
  | { readonly kind: 'key'; readonly key: string; readonly path: string }
  | { readonly kind: 'group'; readonly key: string };

/** Everything the query names, in the order of keys. */
export async function* walk(base: string, query: WalkQuery): AsyncGenerator<Found> {
  const components = query.prefix.split('/').slice(0, -1).slice(0, DEPTH_MAX);
  const start = components.map((component) => `${component}/`).join('');
  yield* walkFolder(join(base, ...components.flatMap(folderNames)), start, query);
}

async function* walkFolder(folder: string, start: string, query: WalkQuery): AsyncGenerator<Found> {
  for (const { text, path } of await readLevel(folder)) {
    const key = start + text;
    if (path.endsWith(OBJECT)) {
      if (key.startsWith(query.prefix) && compareKeys(key, query.after) > 0) yield { kind: 'key', key, path };
      continue;
    }
    const isWithin = key.startsWith(query.prefix);
    if (!isWithin && !query.prefix.startsWith(key)) continue;
    if (compareKeys(key, query.after) <= 0 && !query.after.startsWith(key)) continue;
    if (!query.isFlat || !isWithin || key === query.prefix) yield* walkFolder(path, key, query);
    else if (await hasKeys(path, key, query)) yield { kind: 'group', key };
  }
}

async function hasKeys(folder: string, start: string, { after }: WalkQuery): Promise<boolean> {
  if (!after.startsWith(start)) return hasAny(folder);
  for await (const _ of walkFolder(folder, start, { prefix: start, after, isFlat: false })) return true;
  return false;
}

/** Whether there is an object anywhere below; stops at the first. */
export async function hasAny(folder: string): Promise<boolean> {
  const below: string[] = [];
  try {
    for await (const { name } of await opendir(folder)) {
      if (name.endsWith(OBJECT)) return true;
      if (name.endsWith(FOLDER) || name.endsWith(MORE)) below.push(name);
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  for (const name of below) if (await hasAny(join(folder, name))) return true;
  return false;
}

interface Entry {
  /** Its part of the key, with the slash of a folder. */
  readonly text: string;
  readonly path: string;
}

/** The objects and folders of a folder in order. */
async function readLevel(folder: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  await collect(folder, '', entries);
  return entries.sort((a, b) => compareKeys(a.text, b.text));
}

/** Long names go on in folders of their own, but their place in the order is here. */
async function collect(folder: string, begun: string, entries: Entry[]): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (name.endsWith(OBJECT)) add(begun + name.slice(0, -OBJECT.length), '', path, entries);
    else if (name.endsWith(FOLDER)) add(begun + name.slice(0, -FOLDER.length), '/', path, entries);
    else if (name.endsWith(MORE)) await collect(path, begun + name.slice(0, -MORE.length), entries);
  }
}

function add(escaped: string, ending: string, path: string, entries: Entry[]): void {
  try {
    entries.push({ text: decodeURIComponent(escaped) + ending, path });
  } catch {
    // Not a name that we gave: somebody else's file.
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []; // Removed as empty, or never made.
    throw error;
  }
}
