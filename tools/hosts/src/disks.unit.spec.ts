import { lvmFilter } from './disks';

describe('what the LVM of a host may look at', () => {
  it('is its own disks, and nothing else', () => {
    expect(lvmFilter(['/dev/vdb', '/dev/vdc'])).toBe(
      'devices { global_filter = [ "a|^/dev/vdb$|", "a|^/dev/vdc$|", "r|.*|" ] }',
    );
  });

  it('is nothing for a host without disks', () => {
    expect(lvmFilter([])).toBe('devices { global_filter = [ "r|.*|" ] }');
  });
});
