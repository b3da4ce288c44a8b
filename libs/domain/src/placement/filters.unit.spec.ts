import { matchesTag, parseTagRule, placementOptions } from './filters';
import { deviceId, nodeId, policy } from './placement.testing';

describe('parseTagRule', () => {
  it.each([
    ['tier=gold', 'tier', true, 'gold'],
    ['tier!=gold', 'tier', false, 'gold'],
    ['a=b=c', 'a=b', true, 'c'],
    ['tier==gold', 'tier=', true, 'gold'],
    ['a!=b=c', 'a', false, 'b=c'],
    ['my-rack=row-1', 'my-rack', true, 'row-1'],
    ['a/b.c:d;e<f>g?h@I[J\\K]L^M_n=1', 'a/b.c:d;e<f>g?h@I[J\\K]L^M_n', true, '1'],
  ])('reads %s', (text, key, equal, value) => {
    expect(parseTagRule(text)).toEqual({ text, key, equal, value });
  });

  it.each(['', '=', 'a', 'a=', '=b', 'a =b', 'a!b', 'a=b!', 'a=b\n', 'a{=b', 'a=ä'])('refuses %j', (text) => {
    expect(parseTagRule(text)).toBeUndefined();
  });
});

describe('matchesTag', () => {
  const device = {
    deviceId: deviceId(1, 0),
    nodeId: nodeId(1),
    zone: 1,
    deviceState: 'online',
    nodeState: 'online',
  } as const;
  it.each([
    [{ tier: 'gold' }, 'tier=gold', true],
    [{ tier: 'Gold' }, 'tier=gold', false],
    [{ tier: 'gold' }, 'tier!=gold', false],
    [{}, 'tier!=gold', true],
    [{}, 'tier=gold', false],
    [{}, 'constructor!=x', true],
  ])('of %j by %s is %s', (tags, text, answer) => {
    const rule = parseTagRule(text);
    expect(rule !== undefined && matchesTag({ ...device, tags }, rule)).toBe(answer);
  });
});

describe('placementOptions', () => {
  it('takes the last of its own keys and leaves the others alone', () => {
    const options = [
      '',
      'user.heketi.zone-checking strict',
      'nfs.disable on',
      'user.heketi.device-tag-match a=1',
      'user.heketi.device-tag-match b=2',
    ];
    expect(placementOptions(options, policy)).toMatchObject({
      kind: 'valid',
      options: { strictZones: true, tagRule: { key: 'b', value: '2' } },
    });
  });

  it('is what the policy says when nothing is asked', () => {
    expect(placementOptions([], policy)).toEqual({ kind: 'valid', options: { strictZones: false } });
    expect(placementOptions([], { ...policy, zoneChecking: 'strict' })).toMatchObject({
      options: { strictZones: true },
    });
  });
});
