import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasHealEntries } from './heal-index';

describe('the heal index of a brick', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-index-'));
  const brick = join(folder, 'brick');
  const entry = join(brick, '.glusterfs/indices/xattrop/5f0f5d5c-5f0f-4d5c-8f0f-5d5c5f0f5d5c');

  beforeAll(() => {
    for (const index of ['xattrop', 'dirty']) {
      mkdirSync(join(brick, '.glusterfs/indices', index), { recursive: true });
      writeFileSync(join(brick, '.glusterfs/indices', index, `${index}-0c1f`), '');
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is empty while nothing waits', async () => {
    expect(await hasHealEntries([brick, join(folder, 'of another host')])).toBe(false);
  });

  it('has an entry for what may have to be healed', async () => {
    writeFileSync(entry, '');
    expect(await hasHealEntries([join(folder, 'of another host'), brick])).toBe(true);
    rmSync(entry);
  });

  it('says nothing where no brick can be seen', async () => {
    expect(await hasHealEntries([join(folder, 'of another host')])).toBeUndefined();
    expect(await hasHealEntries([])).toBeUndefined();
  });
});
