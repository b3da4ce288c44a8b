import { deviceNumber, ownLoops, parseLosetup } from './loop-devices';

const losetup = JSON.stringify({
  loopdevices: [
    entry('/dev/loop0', '  7:0  ', '/var/lib/brickyard/devices/disk1', 41, '     254:0  '),
    entry('/dev/loop1', '  7:1  ', '/var/lib/brickyard/devices/disk1', 99, '     254:0  '),
    entry('/dev/loop2', '  7:2  ', '/bricks/b1.img', 131, '       7:0  '),
    entry('/dev/loop3', '  7:3  ', '/srv/lab/storage-1/lib-brickyard/gone (deleted)', 7, '     254:0  '),
    entry('/dev/loop4', '  7:4  ', '/srv/lab2/disk', 41, '     254:1  '),
  ],
});

describe('parseLosetup', () => {
  it('reads nothing from no output and from an empty list', () => {
    expect(parseLosetup('')).toEqual([]);
    expect(parseLosetup('{"loopdevices": []}')).toEqual([]);
  });

  it('trims the columns and the mark of a deleted file', () => {
    expect(parseLosetup(losetup)[3]).toEqual({
      name: '/dev/loop3',
      number: '7:3',
      file: '/srv/lab/storage-1/lib-brickyard/gone',
      fileDevice: '254:0',
      fileInode: 7,
    });
  });
});

describe('ownLoops', () => {
  it('knows a lab by its files and not by the path a host saw, and finds loops inside its loops first', () => {
    const own = { directory: '/srv/lab', identities: new Set(['254:0 41']) };
    const names = ownLoops(parseLosetup(losetup), own).map((loop) => loop.name);
    expect(names).toEqual(['/dev/loop2', '/dev/loop0', '/dev/loop3']);
  });
});

describe('parseLosetup', () => {
  it('bears a device that is being detached, whose file is not told any more', () => {
    const going = { name: '/dev/loop1', 'maj:min': '  7:1', 'back-file': null, 'back-ino': null, 'back-maj:min': null };
    const json = JSON.stringify({ loopdevices: [entry('/dev/loop0', '7:0', '/lab/a.img', 12, '254:0'), going] });
    expect(parseLosetup(json)).toEqual([
      { name: '/dev/loop0', number: '7:0', file: '/lab/a.img', fileDevice: '254:0', fileInode: 12 },
      { name: '/dev/loop1', number: '7:1', file: '', fileDevice: '', fileInode: 0 },
    ]);
  });
});

describe('deviceNumber', () => {
  it('splits small and large device numbers as the kernel does', () => {
    expect(deviceNumber(65024)).toBe('254:0');
    expect(deviceNumber(1792 + 5)).toBe('7:5');
    expect(deviceNumber(0x100000 + 0x0800)).toBe('8:256');
  });
});

function entry(name: string, number: string, file: string, inode: number, device: string): object {
  return { name, 'maj:min': number, 'back-file': file, 'back-ino': inode, 'back-maj:min': device };
}
