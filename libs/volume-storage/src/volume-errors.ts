/** What can go wrong with the volume, as whoever reads or writes must tell it. */
import { type FileAction, observed } from './file-operations';

/** No room: nothing was stored; it helps to expand the volume or to remove something. */
export class VolumeFull extends Error {
  override readonly name = 'VolumeFull';
}

/** The volume does not do what it should: unmounted, without quorum, broken. Never the same as "not there". */
export class VolumeTrouble extends Error {
  override readonly name = 'VolumeTrouble';
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Tells a full volume from a broken one. */
export function volumeErrorFrom(what: string, error: unknown): VolumeFull | VolumeTrouble {
  if (error instanceof VolumeFull || error instanceof VolumeTrouble) return error;
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && FULL.has(code)
    ? new VolumeFull(what, { cause: error })
    : new VolumeTrouble(what, { cause: error });
}

/** Runs what reads: a missing file is told as such, since it may be the answer. `subject` is what it is done to. */
export async function guarded<T>(action: FileAction, subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await observed(action, work);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? error : volumeErrorFrom(`${action} ${subject}`, error);
  }
}

/** Runs what writes: what is missing in the middle of a write is the volume itself. */
export async function guardedWrite<T>(action: FileAction, subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await observed(action, work);
  } catch (error) {
    throw volumeErrorFrom(`${action} ${subject}`, error);
  }
}
