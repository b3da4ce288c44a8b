/** RFC 9110, section 14: which bytes of a whole a `Range` asks for. */

/** First and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** `all` also for what is not understood and for several ranges at once, as the RFC allows; `none` cannot be satisfied. */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'all' | 'none' {
  if (header === undefined) return 'all';
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (match === null) return 'all';
  const [, from = '', to = ''] = match;
  if (from === '') return to === '' ? 'all' : suffix(Number(to), size);
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  return first > last || first >= size ? 'none' : { first, last };
}

function suffix(length: number, size: number): ByteRange | 'none' {
  if (length === 0 || size === 0) return 'none';
  return { first: Math.max(0, size - length), last: size - 1 };
}
