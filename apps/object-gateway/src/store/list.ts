/** A page of a bucket: keys, and what keys have in common up to a delimiter. */
import type { ObjectStore } from './object-store';
import { codeOf } from './durable-file';
import { mapLimited } from './limited';
import { KEY_BYTES_MAX } from './key-path';
import { readSummary, type Summary } from './record';
import { walk } from './walk';

const READS_AT_ONCE = 16;

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Only what comes after this; `isGroup` when it stands for all keys that begin with it. */
  readonly after: { readonly key: string; readonly isGroup: boolean };
  readonly max: number;
}

export interface ListPage {
  readonly objects: readonly { readonly key: string; readonly summary: Summary }[];
  readonly groups: readonly string[];
  /** Where the next page begins; absent on the last. */
  readonly next?: ListQuery['after'];
}

/** Reads one page. */
export async function listPage(store: ObjectStore, bucket: string, query: ListQuery): Promise<ListPage> {
  const { prefix, delimiter, after, max } = query;
  const keys: { readonly key: string; readonly path: string }[] = [];
  const groups: string[] = [];
  let last = after;
  let isTruncated = false;
  const walking = walk(store.keysOf(bucket), { prefix, after: after.key, isFlat: delimiter === '/' });
  // No key is longer than a key may be, and no file system has the folders of one that is.
  if (max > 0 && Buffer.byteLength(prefix) <= KEY_BYTES_MAX) {
    for await (const found of walking) {
      const group = found.kind === 'group' ? found.key : groupOf(found.key, prefix, delimiter);
      if (group !== undefined && last.isGroup && group === last.key) continue;
      if (keys.length + groups.length === max) {
        isTruncated = true;
        break;
      }
      if (group !== undefined) groups.push(group);
      else if (found.kind === 'key') keys.push(found);
      last = group === undefined ? { key: found.key, isGroup: false } : { key: group, isGroup: true };
    }
  }
  const read = await mapLimited(keys, READS_AT_ONCE, async ({ key, path }) => ({
    key,
    summary: await summaryOf(path),
  }));
  const objects = read.flatMap(({ key, summary }) => (summary === undefined ? [] : [{ key, summary }]));
  return { objects, groups, ...(isTruncated ? { next: last } : {}) };
}

/** Up to the first delimiter after the prefix. */
export function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : key.slice(0, at + delimiter.length);
}

async function summaryOf(path: string): Promise<Summary | undefined> {
  try {
    return await readSummary(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined; // Removed since its name was read.
    throw error;
  }
}
