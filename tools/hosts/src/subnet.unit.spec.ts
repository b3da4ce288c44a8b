import {
  blockOf,
  blocksInUse,
  chooseSubnet,
  clientAddressIn,
  hostAddressIn,
  mentions,
  overlap,
  textOf,
} from './subnet';

const addresses = [
  '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever',
  '4: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever',
].join('\n');
const routes = [
  'default via 192.0.2.1 dev eth0 ',
  '10.64.0.0/12 via 192.0.2.9 dev eth0 ',
  'blackhole 10.100.0.0/16 ',
  'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1 ',
  'broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2 ',
].join('\n');

describe('blocksInUse', () => {
  it('names the blocks of addresses and of every kind of route, but not the default route', () => {
    const texts = blocksInUse(addresses, routes).map(textOf);
    expect(texts).toEqual([
      '127.0.0.0/8',
      '192.0.2.0/24',
      '10.64.0.0/12',
      '10.100.0.0/16',
      '127.0.0.0/8',
      '192.0.2.255/32',
    ]);
  });
});

describe('chooseSubnet', () => {
  it('gives the same directory the same /24 as long as it is free', () => {
    const first = chooseSubnet('/srv/lab', []);
    expect(chooseSubnet('/srv/lab', [])).toEqual(first);
    expect(textOf(first)).toMatch(/^10\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.0\/24$/);
  });

  it('takes the next one when that is in use', () => {
    const first = chooseSubnet('/srv/lab', []);
    const second = chooseSubnet('/srv/lab', [first]);
    expect(overlap(first, second)).toBe(false);
  });

  it('leaves 10.0.0.0/8 alone when a route claims all of it', () => {
    expect(textOf(chooseSubnet('/srv/lab', [blockOf('10.0.0.0/8')]))).toMatch(/^198\.1[89]\.\d+\.0\/24$/);
  });

  it('refuses when nothing is free', () => {
    expect(() => chooseSubnet('/srv/lab', [blockOf('0.0.0.0/0')])).toThrow(/no free \/24/);
  });
});

describe('addresses of a subnet', () => {
  const subnet = blockOf('10.91.7.0/24');

  it('are .1 for the client and .11 upwards for the hosts', () => {
    expect(clientAddressIn(subnet)).toBe('10.91.7.1');
    expect(hostAddressIn(subnet, 1)).toBe('10.91.7.11');
    expect(hostAddressIn(subnet, 3)).toBe('10.91.7.13');
  });

  it('are found in a mount source and in a command line, and not as a part of other addresses', () => {
    expect(mentions(subnet, '10.91.7.11:/vol1')).toBe(true);
    expect(mentions(subnet, 'glusterfs --volfile-server=10.91.7.12 --volfile-id=/vol1 /mnt')).toBe(true);
    expect(mentions(subnet, '10.91.70.11:/vol1')).toBe(false);
    expect(mentions(subnet, '110.91.7.11:/vol1')).toBe(false);
    expect(mentions(subnet, 'localhost:/vol1')).toBe(false);
  });
});
