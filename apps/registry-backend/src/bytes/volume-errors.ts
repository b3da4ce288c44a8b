/** What can go wrong with the volume, as a push or pull must tell it. */

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
