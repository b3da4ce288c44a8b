import { isVolumeMount, mountOn, parseMountInfo } from './mount-table';

const TABLE = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
98 22 0:47 / /srv/images\\040x rw,relatime shared:12 master:3 - fuse.glusterfs 10.91.0.11:/registry rw,user_id=0
99 22 0:48 / /srv/images rw - tmpfs tmpfs rw
100 99 0:49 / /srv/images rw,relatime - fuse.glusterfs fd00::11:registry rw
broken line
`;

describe('parseMountInfo', () => {
  it('reads directory, type and source behind any number of optional fields, escapes undone', () => {
    expect(parseMountInfo(TABLE)).toEqual([
      { directory: '/', type: 'ext4', source: '/dev/vda' },
      { directory: '/srv/images x', type: 'fuse.glusterfs', source: '10.91.0.11:/registry' },
      { directory: '/srv/images', type: 'tmpfs', source: 'tmpfs' },
      { directory: '/srv/images', type: 'fuse.glusterfs', source: 'fd00::11:registry' },
    ]);
  });

  it('finds the mount that hides the others on a directory', () => {
    expect(mountOn(parseMountInfo(TABLE), '/srv/images')?.type).toBe('fuse.glusterfs');
    expect(mountOn(parseMountInfo(TABLE), '/srv')).toBeUndefined();
  });
});

describe('isVolumeMount', () => {
  const entry = { directory: '/m', type: 'fuse.glusterfs', source: '10.91.0.12:/registry' };

  it('takes the volume from any of its servers, with and without slash', () => {
    expect(isVolumeMount(entry, '10.91.0.11:registry', ['10.91.0.11', '10.91.0.12'])).toBe(true);
    expect(isVolumeMount(entry, '10.91.0.12:registry', [])).toBe(true);
    expect(isVolumeMount({ ...entry, source: 'fd00::11:registry' }, 'fd00::11:registry', [])).toBe(true);
  });

  it('refuses another volume, another server and another file system', () => {
    expect(isVolumeMount({ ...entry, source: '10.91.0.12:/registry2' }, '10.91.0.12:registry', [])).toBe(false);
    expect(isVolumeMount(entry, '10.91.0.11:registry', ['10.91.0.11'])).toBe(false);
    expect(isVolumeMount({ ...entry, type: 'nfs' }, '10.91.0.12:registry', [])).toBe(false);
  });
});
