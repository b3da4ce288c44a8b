import { DeviceAddRequest, NodeAddRequest } from '@brickyard/contracts';
import {
  deviceAddProblem,
  nodeAddProblem,
  stateProblem,
  tagsProblem,
  volumeCreateProblem,
  volumeExpandProblem,
} from './validation';

const id = 'a'.repeat(32);
const node = (changes: object): string | undefined =>
  nodeAddProblem(
    NodeAddRequest.parse({ zone: 1, cluster: id, hostnames: { manage: ['m1'], storage: ['10.0.0.1'] }, ...changes }),
  );
const device = (changes: object): string | undefined =>
  deviceAddProblem(DeviceAddRequest.parse({ name: '/dev/sdb', node: id, ...changes }));

describe('validation of a request', () => {
  it('names every bad field, sorted, a part of a field in parentheses', () => {
    expect(nodeAddProblem(NodeAddRequest.parse({}))).toBe(
      'validation failed: cluster: cannot be blank; hostnames: (manage: cannot be blank; storage: cannot be blank.); zone: cannot be blank.',
    );
    expect(deviceAddProblem(DeviceAddRequest.parse({}))).toBe(
      'validation failed: name: cannot be blank; node: cannot be blank.',
    );
  });

  it.each([
    [{ zone: 0 }, 'zone: cannot be blank.'],
    [{ zone: -1 }, 'zone: must be no less than 1.'],
    [{ cluster: 'zz' }, 'cluster: zz is not a valid UUID.'],
    [
      { hostnames: { manage: ['bad host!'], storage: ['s'] } },
      'hostnames: (manage: [bad host!] is not a valid manage hostname.).',
    ],
    [
      { hostnames: { manage: ['m'], storage: ['a', '-b'] } },
      'hostnames: (storage: [a -b] is not a valid storage hostname.).',
    ],
    [
      { hostnames: { manage: ['a..b'], storage: [] } },
      'hostnames: (manage: [a..b] is not a valid manage hostname; storage: cannot be blank.).',
    ],
    [{ tags: { '': 'x' } }, 'tags: tag names may not be empty.'],
  ])('refuses a node with %j', (changes, text) => {
    expect(node(changes)).toBe(`validation failed: ${text}`);
  });

  it.each(['m1', '10.0.0.1', 'fe80::1', 'a.b-c.example'])('takes the host name %s', (name) => {
    expect(node({ hostnames: { manage: [name], storage: [name] } })).toBeUndefined();
  });

  it.each(['sdb', '/dev/s db', '/dev/sdb;reboot', '/'])('refuses the device name %s', (name) => {
    expect(device({ name })).toBe('validation failed: name: must be in a valid format.');
  });

  it('refuses a state it does not know', () => {
    expect(stateProblem({})).toBe('validation failed: state: cannot be blank.');
    expect(stateProblem({ state: 'bogus' })).toBe('validation failed: state: bogus is not valid state.');
    expect(stateProblem({ state: 'failed', healcheck: 'x' })).toBe(
      'validation failed: healcheck: x is not valid heal info check.',
    );
    expect(stateProblem({ state: 'online', healcheck: 'disable' })).toBeUndefined();
  });

  it('refuses a volume without a size or with a bad name', () => {
    expect(volumeCreateProblem({})).toBe('validation failed: size: cannot be blank.');
    expect(volumeCreateProblem({ size: -1 })).toBe('validation failed: size: must be no less than 1.');
    expect(volumeCreateProblem({ size: 1, name: 'bad name' })).toBe(
      'validation failed: name: must be in a valid format.',
    );
    expect(volumeCreateProblem({ size: 1, name: '' })).toBeUndefined();
    for (const name of ['all', 'help', '-x', '--']) {
      expect(volumeCreateProblem({ size: 1, name })).toBe(
        `validation failed: name: "${name}" cannot be the name of a Gluster volume.`,
      );
    }
    expect(volumeExpandProblem({ expand_size: 0 })).toBe('validation failed: expand_size: cannot be blank.');
  });

  it('limits tags', () => {
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`t${String(index)}`, '']));
    const long = 'n'.repeat(33);
    expect(tagsProblem(many)).toBe('too many tags specified (33), up to 32 supported');
    expect(tagsProblem({ [long]: '' })).toBe(`tag name ${long}: the length must be between 1 and 32`);
    expect(tagsProblem({ a: 'v'.repeat(65) })).toBe('value of tag a: the length must be no more than 64');
    expect(tagsProblem({ 'a b': '' })).toBe('invalid characters in tag name a b');
    expect(tagsProblem({ [long.slice(1)]: '日'.repeat(64) })).toBeUndefined();
  });
});
