/** What directories of somebody else's lie on: read, and never changed. */
import { z } from 'zod';
import { type HostCommand, mustRun } from './host-command';

const TIMEOUT_MS = 60_000;
const BYTES_PER_KIB = 1_024;

/** A directory that is there, and the file system it is on. */
export interface Ground {
  readonly path: string;
  readonly mount: string;
  readonly source: string;
  readonly sizeKib: number;
}

const Sizes = z.object({
  filesystems: z.array(
    z.object({ target: z.string(), source: z.string(), size: z.union([z.number(), z.string(), z.null()]) }),
  ),
});

/** Where each of these directories lies; one that is not there, or whose file system has no size, is left out. */
export async function groundsOf(run: HostCommand, paths: readonly string[]): Promise<readonly Ground[]> {
  if (paths.length === 0) return [];
  // Directories that are not there are told on stderr, and the others all the same.
  const { out } = await run(['stat', '-L', '-c', '%m %F %n', '--', ...paths], { timeoutMs: TIMEOUT_MS });
  const sizes = await fileSystems(run);
  return out.split('\n').flatMap((line) => {
    const [, mount, path] = /^(\/\S*) directory (\/.*)$/.exec(line) ?? [];
    const on = mount === undefined ? undefined : sizes.get(mount);
    if (mount === undefined || path === undefined || on === undefined) return [];
    return [{ path, mount, ...on }];
  });
}

type Sized = Pick<Ground, 'source' | 'sizeKib'>;

async function fileSystems(run: HostCommand): Promise<ReadonlyMap<string, Sized>> {
  const argv = ['findmnt', '--json', '--list', '--bytes', '-o', 'TARGET,SOURCE,SIZE'];
  const out = await mustRun(run, argv, TIMEOUT_MS, 'the mount table cannot be read');
  const sizes = new Map<string, Sized>();
  // What was mounted over something else comes later.
  for (const { target, source, size } of Sizes.parse(JSON.parse(out)).filesystems) {
    const sizeKib = Math.floor(Number(size ?? 0) / BYTES_PER_KIB);
    if (sizeKib > 0) sizes.set(target, { source, sizeKib });
    else sizes.delete(target);
  }
  return sizes;
}
