/**
 * Where an object of a key lies below its bucket. Every component of the key becomes a folder, every name ends in what it
 * is, and whatever is not a plain character is escaped: so `a` and `a/b` are different names, `..` is one like any other,
 * and no key leaves its bucket.
 */

/** Of UTF-8. */
export const KEY_BYTES_MAX = 1024;
/** Components beyond this one are a single name: a folder for each of a thousand slashes would help nobody. */
export const DEPTH_MAX = 32;
/** File systems take 255 bytes; a temporary file adds 14 and the ending 7. */
const NAME_MAX = 200;

export const OBJECT = '.object';
export const FOLDER = '.folder';
/** A folder with names that begin like this one and go on. */
export const MORE = '.more';

/** Folders from the top down, and the name of the file in the last one. */
export interface KeyPath {
  readonly folders: readonly string[];
  readonly file: string;
}

export function keyPathOf(key: string): KeyPath {
  const components = key.split('/');
  const deep = components.slice(0, DEPTH_MAX);
  const last = components.length > DEPTH_MAX ? components.slice(DEPTH_MAX).join('/') : (deep.pop() ?? '');
  const { before, rest } = pieces(last);
  return { folders: [...deep.flatMap(folderNames), ...before], file: `${rest}${OBJECT}` };
}

/** The folders of everything that begins with these components. */
export function folderNames(component: string): readonly string[] {
  const { before, rest } = pieces(component);
  return [...before, `${rest}${FOLDER}`];
}

/** A long name in pieces, each but the last a folder; an escape is never cut. */
function pieces(component: string): { readonly before: readonly string[]; readonly rest: string } {
  const before: string[] = [];
  let rest = encodeURIComponent(component);
  while (rest.length > NAME_MAX) {
    const at = cutOf(rest);
    before.push(`${rest.slice(0, at)}${MORE}`);
    rest = rest.slice(at);
  }
  return { before, rest };
}

function cutOf(text: string): number {
  const percent = text.lastIndexOf('%', NAME_MAX - 1);
  return percent > NAME_MAX - 3 ? percent : NAME_MAX;
}

/** The order of keys in S3: by the bytes of UTF-8, which differs from that of JavaScript beyond the basic plane. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for what comes after everything else. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
