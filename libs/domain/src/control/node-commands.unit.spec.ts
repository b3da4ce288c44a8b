import type { CommandOf } from '@brickyard/contracts';
import { addNode, clusterOf } from '../testing';

describe('AddNode', () => {
  const submit = (number: number, probe: CommandOf<'AddNode'>['probe']) =>
    clusterOf(number === 1 ? [] : [{ zone: 1, devicesKib: [] }]).submit({ ...addNode(number, number), probe });

  it('needs glusterd on the first host of a cluster, then on one of its members', () => {
    expect(submit(1, { newNode: 'stopped', members: 'none' })).toEqual({
      kind: 'GlusterdNotRunning',
      where: 'new-node',
    });
    expect(submit(1, { newNode: 'running', members: 'none' })).toBeUndefined();
    for (const newNode of ['running', 'stopped'] as const) {
      expect(submit(2, { newNode, members: 'stopped' })).toEqual({ kind: 'GlusterdNotRunning', where: 'cluster' });
      expect(submit(2, { newNode, members: 'running' })).toBeUndefined();
    }
  });

  it('needs an agent on the host, since nothing happens there without one', () => {
    expect(submit(1, { newNode: 'no-agent', members: 'none' })).toEqual({ kind: 'NoAgent', host: 'n1' });
    expect(submit(2, { newNode: 'no-agent', members: 'running' })).toEqual({ kind: 'NoAgent', host: 'n2' });
  });
});
