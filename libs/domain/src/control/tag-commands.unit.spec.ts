import type { DeviceId, NodeId, TagChange, Tags } from '@brickyard/contracts';
import { clusterOf, createVolume, id, newOperationId, obedient } from '../testing';
import { decodeSnapshot, encodeSnapshot } from './snapshot';

const plane = () => clusterOf([{ zone: 1, devicesKib: [524_288_000] }]);
const nodeId = id('a1') as NodeId;
const deviceId = id('d101') as DeviceId;

describe('tags', () => {
  it.each<[TagChange, Tags, Tags]>([
    ['set', { c: '3' }, { c: '3' }],
    ['set', {}, {}],
    ['update', { b: 'x', c: '3' }, { a: '1', b: 'x', c: '3' }],
    ['delete', { b: 'whatever', z: '' }, { a: '1' }],
  ])('%s %j', (change, tags, after) => {
    const control = plane();
    control.submit({ type: 'ChangeNodeTags', nodeId, change: 'set', tags: { a: '1', b: '2' } });
    control.submit({ type: 'ChangeDeviceTags', deviceId, change: 'set', tags: { a: '1', b: '2' } });
    control.submit({ type: 'ChangeNodeTags', nodeId, change, tags });
    control.submit({ type: 'ChangeDeviceTags', deviceId, change, tags });
    expect(control.state.nodes.get(nodeId)?.tags).toEqual(after);
    expect(control.state.devices.get(deviceId)?.tags).toEqual(after);
  });

  it('reach placement, the device over its node', () => {
    const control = plane();
    control.submit({ type: 'ChangeNodeTags', nodeId, change: 'set', tags: { tier: 'gold', rack: '1' } });
    control.submit({ type: 'ChangeDeviceTags', deviceId, change: 'set', tags: { tier: 'iron' } });
    expect([...control.state.clusters.values()][0]?.ring.get(deviceId)?.tags).toEqual({ tier: 'iron', rack: '1' });
  });

  it('are no event when nothing changes', () => {
    const control = plane();
    control.submit({ type: 'ChangeNodeTags', nodeId, change: 'set', tags: { a: '1' } });
    const before = control.log.length;
    control.submit({ type: 'ChangeNodeTags', nodeId, change: 'update', tags: { a: '1' } });
    control.submit({ type: 'ChangeDeviceTags', deviceId, change: 'delete', tags: { a: '' } });
    expect(control.log).toHaveLength(before);
  });

  it('are refused for what is not there', () => {
    const none = id('e');
    expect(plane().submit({ type: 'ChangeNodeTags', nodeId: none as NodeId, change: 'set', tags: {} })).toEqual({
      kind: 'NodeNotFound',
      nodeId: none,
    });
    expect(plane().submit({ type: 'ChangeDeviceTags', deviceId: none as DeviceId, change: 'set', tags: {} })).toEqual({
      kind: 'DeviceNotFound',
      deviceId: none,
    });
  });
});

describe('SetAdminMode', () => {
  it('is kept in snapshots, and said once', () => {
    const control = plane();
    control.submit({ type: 'SetAdminMode', mode: 'read-only' });
    control.submit({ type: 'SetAdminMode', mode: 'read-only' });
    expect(control.log.filter(({ event }) => event.type === 'AdminModeSet')).toHaveLength(1);
    expect(decodeSnapshot([...encodeSnapshot(control.state)])).toEqual(control.state);
  });

  const pause = { type: 'SetAdminMode', mode: 'read-only', adoption: true } as const;
  const confirm = { type: 'SetAdminMode', mode: 'normal', adoption: true } as const;

  it.each(['normal', 'local-client', 'read-only'] as const)('%s comes back when a moving in is confirmed', (mode) => {
    const control = plane();
    control.submit({ type: 'SetAdminMode', mode });
    for (let time = 0; time < 2; time++) control.submit(pause);
    expect(control.state.adminMode).toBe('read-only');
    expect(decodeSnapshot([...encodeSnapshot(control.state)])).toEqual(control.state);
    for (let time = 0; time < 2; time++) control.submit(confirm);
    expect(control.state.adminMode).toBe(mode);
    expect(decodeSnapshot([...encodeSnapshot(control.state)])).toEqual(control.state);
  });

  it.each(['normal', 'local-client', 'read-only'] as const)(
    '%s, set by somebody during a moving in, is not ended by its confirmation',
    (mode) => {
      const control = plane();
      control.submit(pause);
      control.submit({ type: 'SetAdminMode', mode });
      control.submit(confirm);
      expect(control.state.adminMode).toBe(mode);
    },
  );
});

describe('SetBlockRestriction', () => {
  const restrict = (control: ReturnType<typeof plane>, volumeId: ReturnType<typeof createVolume>['volumeId']) =>
    control.submit({ type: 'SetBlockRestriction', operationId: newOperationId(), volumeId, restriction: 'locked' });

  it('locks a hosting volume, whose reserve grows with each expansion', () => {
    const control = plane();
    const command = createVolume('host', 200, { kind: 'none' });
    control.submit({ ...command, spec: { ...command.spec, block: true } });
    control.settle(obedient());
    expect(restrict(control, command.volumeId)).toBeUndefined();
    expect(control.state.volumes.get(command.volumeId)?.hosting).toMatchObject({
      reservedGib: 4,
      restriction: 'locked',
    });
    const addKib = (10 * 1_048_576) as typeof command.spec.sizeKib;
    const { volumeId, policy } = command;
    control.submit({ type: 'ExpandVolume', operationId: newOperationId(), volumeId, addKib, policy });
    control.settle(obedient());
    expect(control.state.volumes.get(volumeId)?.hosting?.reservedGib).toBe(5);
  });

  it('is refused for any other volume', () => {
    const control = plane();
    const command = createVolume('file', 1, { kind: 'none' });
    control.submit(command);
    control.settle(obedient());
    expect(restrict(control, command.volumeId)).toEqual({ kind: 'NoBlockHostingVolume', volumeId: command.volumeId });
  });
});
