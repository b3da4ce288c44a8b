import { mkdir, mkdtemp, realpath, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groundsOf } from './grounds';
import { hostCommand } from './host-command';

describe('what directories lie on', () => {
  it('is told with the size of the file system; what is no directory is left out', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'brickyard-ground-')));
    try {
      const brick = join(folder, 'a brick');
      await mkdir(brick);
      const { blocks, bsize } = await statfs(brick);
      const run = hostCommand([]);
      const [ground, ...others] = await groundsOf(run, [brick, join(folder, 'none'), '/etc/hostname']);
      expect(others).toEqual([]);
      expect(ground).toMatchObject({ path: brick, sizeKib: Math.floor((blocks * bsize) / 1_024) });
      expect(brick.startsWith(ground?.mount ?? 'nowhere')).toBe(true);
      expect(await groundsOf(run, [])).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
