import { isWithin, parseMountinfo, unmountOrder } from './mount-table';

const mountinfo = `48 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
131 48 0:47 / /tmp/my\\040lab/mnt rw,relatime shared:7 master:2 - fuse.glusterfs 10.91.7.11:/vol1 rw,user_id=0
133 131 7:0 / /tmp/my\\040lab/mnt/inner rw,relatime - xfs /dev/loop0 rw,attr2
`;

describe('parseMountinfo', () => {
  it('reads target, type and source, with and without optional fields', () => {
    expect(parseMountinfo(mountinfo)).toEqual([
      { target: '/', type: 'ext4', source: '/dev/vda' },
      { target: '/tmp/my lab/mnt', type: 'fuse.glusterfs', source: '10.91.7.11:/vol1' },
      { target: '/tmp/my lab/mnt/inner', type: 'xfs', source: '/dev/loop0' },
    ]);
  });
});

describe('unmountOrder', () => {
  it('begins with what was mounted last', () => {
    expect(unmountOrder(parseMountinfo(mountinfo))).toEqual(['/tmp/my lab/mnt/inner', '/tmp/my lab/mnt', '/']);
  });
});

describe('isWithin', () => {
  it('accepts the directory and what is below it, and no sibling with the same beginning', () => {
    expect(isWithin('/tmp/lab', '/tmp/lab')).toBe(true);
    expect(isWithin('/tmp/lab', '/tmp/lab/a')).toBe(true);
    expect(isWithin('/tmp/lab', '/tmp/lab2/a')).toBe(false);
    expect(isWithin('/', '/tmp')).toBe(true);
  });
});
