/** The mark Gluster leaves on a brick directory: the id of the volume it belongs to, in an extended attribute. */
import { commandFailed, type HostCommand, mustRun } from '../host-command';
import { refusal } from '../step-failure';

const TIMEOUT_MS = 10_000;
const MARK = 'trusted.glusterfs.volume-id';
const GFID = 'trusted.gfid';
/** What Gluster itself puts into an empty brick; the last one, of replicas that heal, ends with the volume's id. */
const OWN_ENTRIES = [/^\.glusterfs$/, /^\.trashcan$/, /^\.glusterfs-anonymous-inode(-[0-9a-f-]{36})?$/];

/** The UUID of the volume a directory is marked with. */
export async function readClaim(run: HostCommand, path: string): Promise<string | undefined> {
  const argv = ['getfattr', '--absolute-names', '-n', MARK, '-e', 'hex', path];
  const result = await run(argv, { timeoutMs: TIMEOUT_MS });
  const [, hex] = /volume-id=0x([0-9a-f]{32})/.exec(result.out) ?? [];
  if (hex !== undefined) return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  if (/No such (attribute|file)|not supported/.test(result.err)) return undefined;
  throw commandFailed(`the mark of ${path} cannot be read`, result);
}

/** Makes a marked directory without files a fresh brick again. */
export async function removeClaim(run: HostCommand, path: string): Promise<void> {
  const detail = `the mark of ${path} cannot be removed`;
  const list = await mustRun(run, ['ls', '-A', path], TIMEOUT_MS, detail);
  const entries = list.split('\n').filter((name) => name !== '');
  const files = entries.filter((name) => !OWN_ENTRIES.some((own) => own.test(name)));
  if (files.length > 0) {
    throw refusal(
      `${path} is marked by a volume nobody knows, and holds ${String(files.length)} entries; save them first`,
    );
  }
  for (const entry of entries) {
    await mustRun(run, ['rm', '-r', '-f', '--one-file-system', '--', `${path}/${entry}`], TIMEOUT_MS, detail);
  }
  for (const name of [MARK, GFID]) {
    const result = await run(['setfattr', '-x', name, path], { timeoutMs: TIMEOUT_MS });
    if (result.exit !== 0 && !result.err.includes('No such attribute')) throw commandFailed(detail, result);
  }
}
