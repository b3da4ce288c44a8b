import type { CommandResult } from '../host-command';
import { removeClaim } from './brick-claim';

const PATH = '/var/lib/heketi/mounts/vg_a/brick_b/brick';
const VOLUME = 'efc9a5ad-dec6-4bb7-9878-1dc3e4b35084';

describe('the mark of a brick that no volume has', () => {
  let ran: string[];
  const clear = (entries: readonly string[]): Promise<void> =>
    removeClaim((argv): Promise<CommandResult> => {
      ran.push(argv.join(' '));
      return Promise.resolve({ argv, exit: 0, out: argv[0] === 'ls' ? entries.join('\n') : '', err: '' });
    }, PATH);
  beforeEach(() => {
    ran = [];
  });

  it('goes, and what Gluster itself has put there', async () => {
    await clear(['.glusterfs', `.glusterfs-anonymous-inode-${VOLUME}`, '.trashcan']);
    expect(ran.slice(1)).toEqual([
      `rm -r -f --one-file-system -- ${PATH}/.glusterfs`,
      `rm -r -f --one-file-system -- ${PATH}/.glusterfs-anonymous-inode-${VOLUME}`,
      `rm -r -f --one-file-system -- ${PATH}/.trashcan`,
      `setfattr -x trusted.glusterfs.volume-id ${PATH}`,
      `setfattr -x trusted.gfid ${PATH}`,
    ]);
  });

  it.each(['letter', '.glusterfs-mine', '.glusterfs-anonymous-inode-mine'])(
    'stays where somebody has %s, of which nothing is touched',
    async (name) => {
      await expect(clear(['.glusterfs', name])).rejects.toThrow(
        `${PATH} is marked by a volume nobody knows, and holds 1 `,
      );
      expect(ran).toEqual([`ls -A ${PATH}`]);
    },
  );
});
