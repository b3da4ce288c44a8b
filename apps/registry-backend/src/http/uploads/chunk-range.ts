import type { ByteRange } from '@brickyard/volume-storage';

/** The `Content-Range` of a chunk that is sent: `first-last`, with or without a unit and a total; `bad` when it is none. */
export function chunkRangeOf(header: string | undefined): ByteRange | 'absent' | 'bad' {
  if (header === undefined) return 'absent';
  const match = /^\s*(?:bytes[\s=]+)?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?\s*$/i.exec(header);
  if (match === null) return 'bad';
  const [first, last] = [Number(match[1]), Number(match[2])];
  return first > last ? 'bad' : { first, last };
}
