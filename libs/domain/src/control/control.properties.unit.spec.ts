import type { ControlEvent, DeviceId, NodeId, VolumeId } from '@brickyard/contracts';
import { gib, kibOf } from '@brickyard/contracts';
import { PartMemory, type Recorded } from '@brickyard/event-sourcing';
import fc from 'fast-check';
import {
  cloneVolume,
  clusterOf,
  createBlockVolume,
  createVolume,
  defaultPolicy,
  failed,
  id,
  newOperationId,
  obedient,
  type Answer,
  type ControlPlane,
} from '../testing';
import { hostingFreeGib } from '../block/block-volumes';
import { evolve } from './control.evolve';
import { emptyControlState, freeKib, type ControlState } from './control.state';
import { decodeSnapshot, encodeSnapshot, snapshotParts } from './snapshot';

const DEVICE_KIB = 40 * 1_048_576;
const NAMES = ['a', 'b', 'c', 'd', 'e'];

const plane = (): ControlPlane =>
  clusterOf([1, 2, 3, 1, 2].map((zone) => ({ zone, devicesKib: [DEVICE_KIB, DEVICE_KIB / 2] })));

/** One thing that may happen, in any order with any other. */
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('create' as const),
      name: fc.constantFrom(...NAMES),
      sizeGib: fc.integer({ min: 1, max: 30 }),
      durability: fc.constantFrom(
        { kind: 'none' } as const,
        { kind: 'replicate', replica: 2 } as const,
        { kind: 'replicate', replica: 3 } as const,
        { kind: 'disperse', data: 2, redundancy: 1 } as const,
      ),
      strict: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('expand' as const),
      pick: fc.nat(),
      addGib: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('clone' as const), pick: fc.nat(), name: fc.constantFrom(...NAMES) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('delete' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('lose' as const), node: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('return' as const), node: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('offline' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('online' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('evict' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('empty-device' as const), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('empty-node' as const), node: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      what: fc.constant('answer' as const),
      pick: fc.nat(),
      how: fc.constantFrom('done', 'done', 'done', 'fails', 'passes', 'unknown'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('pauses-end' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('create-block' as const),
      name: fc.constantFrom(...NAMES),
      sizeGib: fc.integer({ min: 1, max: 6 }),
      portals: fc.integer({ min: 0, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('grow-block' as const),
      pick: fc.nat(),
      sizeGib: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('delete-block' as const), pick: fc.nat() }) },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const at = <T>(list: readonly T[], pick: number): T | undefined => list[pick % Math.max(1, list.length)];
const nodeId = (number: number): NodeId => id(`a${String(number)}`) as NodeId;

function answerOf(how: string): Answer | undefined {
  if (how === 'done') return undefined;
  return failed(how, { transient: how !== 'fails', uncertain: how === 'unknown' });
}

function happen(control: ControlPlane, event: Happening): void {
  const operationId = newOperationId();
  const volumeId = (pick: number): VolumeId | undefined => at([...control.state.volumes.keys()].sort(), pick);
  const deviceId = (pick: number): DeviceId | undefined => at([...control.state.devices.keys()].sort(), pick);
  switch (event.what) {
    case 'create': {
      const options = event.strict ? ['user.heketi.zone-checking strict'] : [];
      control.submit(createVolume(event.name, event.sizeGib, event.durability, options));
      return;
    }
    case 'expand': {
      const volume = volumeId(event.pick);
      if (volume === undefined) return;
      control.submit({
        type: 'ExpandVolume',
        operationId,
        volumeId: volume,
        addKib: kibOf(gib(event.addGib)),
        policy: defaultPolicy,
      });
      return;
    }
    case 'clone': {
      const volume = volumeId(event.pick);
      if (volume !== undefined) control.submit(cloneVolume(volume, event.name));
      return;
    }
    case 'delete': {
      const volume = volumeId(event.pick);
      if (volume !== undefined) control.submit({ type: 'DeleteVolume', operationId, volumeId: volume });
      return;
    }
    case 'create-block': {
      const wanted = createBlockVolume(event.name, event.sizeGib, { portals: event.portals });
      const { hosting } = wanted;
      const spec = { ...hosting.spec, sizeKib: kibOf(gib(10)) };
      control.submit({ ...wanted, hosting: { ...hosting, spec } });
      return;
    }
    case 'grow-block':
    case 'delete-block': {
      const blockVolumeId = at([...control.state.blockVolumes.keys()].sort(), event.pick);
      if (blockVolumeId === undefined) return;
      if (event.what === 'delete-block') {
        control.submit({ type: 'DeleteBlockVolume', operationId, blockVolumeId });
        return;
      }
      const newSizeKib = kibOf(gib(event.sizeGib));
      control.submit({ type: 'ExpandBlockVolume', operationId, blockVolumeId, newSizeKib });
      return;
    }
    case 'lose':
      control.submit({ type: 'DeclareNodeLost', nodeId: nodeId(event.node), silentSince: 'then' });
      return;
    case 'return':
      control.submit({ type: 'DeclareNodeReturned', nodeId: nodeId(event.node) });
      return;
    case 'offline':
    case 'online': {
      const device = deviceId(event.pick);
      if (device !== undefined)
        control.submit({ type: 'SetDeviceState', operationId, deviceId: device, state: event.what });
      return;
    }
    case 'evict': {
      const bricks = [...control.state.volumes.values()].flatMap((volume) =>
        volume.bricks.map(({ brickId }) => brickId),
      );
      const brickId = at(bricks.sort(), event.pick);
      if (brickId !== undefined) control.submit({ type: 'EvictBrick', operationId, brickId });
      return;
    }
    case 'empty-device': {
      const device = deviceId(event.pick);
      if (device === undefined) return;
      control.submit({ type: 'SetDeviceState', operationId, deviceId: device, state: 'offline' });
      control.submit({ type: 'SetDeviceState', operationId: newOperationId(), deviceId: device, state: 'failed' });
      return;
    }
    case 'empty-node': {
      const emptied = { type: 'SetNodeState', nodeId: nodeId(event.node) } as const;
      control.submit({ ...emptied, operationId, state: 'offline' });
      control.submit({ ...emptied, operationId: newOperationId(), state: 'failed' });
      return;
    }
    case 'answer': {
      const task = at(control.waiting(), event.pick);
      if (task !== undefined) control.answer(task, answerOf(event.how) ?? obedient(DEVICE_KIB)(task));
      return;
    }
    case 'pauses-end':
      for (const { operationId: waiting, retry } of control.state.operations.values()) {
        if (retry !== undefined) control.submit({ type: 'RetryStep', operationId: waiting, attempt: retry.attempt });
      }
  }
}

function expectInvariants({ state }: ControlPlane): void {
  for (const device of state.devices.values()) {
    const bricks = [...state.volumes.values()].flatMap((volume) =>
      [...volume.bricks, ...volume.moves.map(({ replacement }) => replacement)].filter(
        (brick) => brick.deviceId === device.deviceId,
      ),
    );
    expect(device.usedKib).toBe(bricks.reduce((sum, brick) => sum + brick.poolKib + brick.metadataKib, 0));
    expect(freeKib(device)).toBeGreaterThanOrEqual(0);
    expect([...device.bricks.keys()].sort()).toEqual(bricks.map(({ brickId }) => brickId).sort());
  }
  expectPoolsChargedOnce(state);
  for (const volume of state.volumes.values()) {
    const isStrict = volume.spec.options.includes('user.heketi.zone-checking strict');
    // A brick on its way stands in two places: none of them may be another brick's.
    const places = volume.bricks.flatMap((brick) => {
      const replacement = volume.moves.find(({ brickId }) => brickId === brick.brickId)?.replacement;
      const nodes = [brick, ...(replacement === undefined ? [] : [replacement])].map((each) => each.nodeId);
      const where = nodes.map((node) => (isStrict ? String(state.nodes.get(node)?.zone) : node));
      return [...new Set(where)].map((each) => `${String(brick.set)}/${each}`);
    });
    expect(new Set(places).size).toBe(places.length);
    expect(volume.status === 'ready').toBe(volume.operationId === undefined);
    expect(volume.moves.every(({ operationId }) => state.operations.has(operationId))).toBe(true);
  }
  for (const volume of state.volumes.values()) {
    const held = [...state.blockVolumes.values()].filter(({ hostingVolumeId }) => hostingVolumeId === volume.volumeId);
    expect(volume.hosting?.blockVolumeIds ?? []).toEqual(held.map(({ blockVolumeId }) => blockVolumeId).sort());
    expect(new Set(held.map(({ name }) => name)).size).toBe(held.length);
    expect(hostingFreeGib(volume, state)).toBeGreaterThanOrEqual(0);
  }
  for (const block of state.blockVolumes.values()) {
    expect(state.volumes.has(block.hostingVolumeId)).toBe(true);
    expect(block.status === 'ready').toBe(block.operationId === undefined);
  }
  for (const { operationId } of [
    ...state.nodes.values(),
    ...state.devices.values(),
    ...state.volumes.values(),
    ...state.blockVolumes.values(),
  ]) {
    if (operationId !== undefined) expect(state.operations.has(operationId)).toBe(true);
  }
  for (const operation of state.operations.values()) {
    const { plan } = operation;
    if (plan.kind === 'evacuate-device' || plan.kind === 'evacuate-node') {
      const isBusy = ({ volumeId }: { readonly volumeId: VolumeId }): boolean =>
        state.volumes.get(volumeId)?.operationId !== undefined;
      const isAtWork = plan.childId !== undefined && state.operations.has(plan.childId);
      expect(isAtWork || plan.moves.some(isBusy)).toBe(true);
      continue;
    }
    const isWaiting =
      operation.retry !== undefined ||
      [...(operation.current?.tasks.values() ?? [])].some(({ status }) => status === 'running');
    expect(isWaiting).toBe(true);
  }
}

/** However many clones live in a pool, and whoever of them goes first: exactly one brick carries its room. */
function expectPoolsChargedOnce(state: ControlState): void {
  const charges = new Map<string, number>();
  for (const { bricks } of state.volumes.values()) {
    for (const { brickId, poolOf = brickId, poolKib } of bricks) {
      charges.set(poolOf, (charges.get(poolOf) ?? 0) + (poolKib > 0 ? 1 : 0));
    }
  }
  expect([...charges].filter(([, times]) => times !== 1)).toEqual([]);
}

const text = (state: ControlState): string => [...encodeSnapshot(state)].join('\n');

describe('the control ledger, whatever happens in whatever order', () => {
  it('never over-fills a device, never puts two bricks of a set together, and every operation waits for something or ends', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 60 }), (events) => {
        const control = plane();
        for (const event of events) {
          happen(control, event);
          expectInvariants(control);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('comes to rest when every node is back and every agent obeys, and gives everything back', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 60 }), (events) => {
        const control = plane();
        for (const event of events) happen(control, event);
        for (let number = 1; number <= 5; number++) happen(control, { what: 'return', node: number });
        control.settle(obedient(DEVICE_KIB));
        expect(control.state.operations.size).toBe(0);
        for (const blockVolumeId of control.state.blockVolumes.keys()) {
          const operationId = newOperationId();
          expect(control.submit({ type: 'DeleteBlockVolume', operationId, blockVolumeId })).toBeUndefined();
        }
        control.settle(obedient(DEVICE_KIB));
        for (const volumeId of control.state.volumes.keys()) {
          expect(control.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId })).toBeUndefined();
        }
        control.settle(obedient(DEVICE_KIB));
        for (let number = 1; number <= 5; number++) happen(control, { what: 'return', node: number });
        control.settle(obedient(DEVICE_KIB));
        expectInvariants(control);
        expect([...control.state.volumes.keys(), ...control.state.blockVolumes.keys()]).toEqual([]);
        expect([...control.state.devices.values()].map(({ usedKib }) => usedKib)).toEqual(Array(10).fill(0));
        expect([...control.state.nodes.values()].flatMap(({ residue }) => residue)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('folds to the same bytes from zero, and from a snapshot taken anywhere', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 5, maxLength: 40 }), fc.nat(), (events, pick) => {
        const control = plane();
        for (const event of events) happen(control, event);
        const through = (log: readonly Recorded<ControlEvent>[], from: ControlState): ControlState =>
          log.reduce(evolve, from);
        const cut = pick % (control.log.length + 1);
        const halfway = through(control.log.slice(0, cut), emptyControlState);
        const restored = decodeSnapshot([...encodeSnapshot(halfway)]);
        expect(text(through(control.log, emptyControlState))).toBe(text(control.state));
        expect(text(through(control.log.slice(cut), restored))).toBe(text(control.state));
        expect(restored).toEqual(halfway);
      }),
      { numRuns: 40 },
    );
  });

  it('is written in parts that say the same as long as what they are made of is the same', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 5, maxLength: 40 }), fc.nat(), (events, pick) => {
        const control = plane();
        for (const event of events) happen(control, event);
        const cut = pick % (control.log.length + 1);
        const before = control.log.slice(0, cut).reduce(evolve, emptyControlState);
        const memory = new PartMemory((said) => said);
        Array.from(snapshotParts(before), memory.next());
        const after = control.log.slice(cut).reduce(evolve, before);
        const parts = [...snapshotParts(after)];
        expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
        expect(parts.map(memory.next())).toEqual([...encodeSnapshot(after)]);
      }),
      { numRuns: 40 },
    );
  });

  it('is decided the same way twice', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 10 }), (events) => {
        const one = plane();
        const other = plane();
        const command = createVolume('z', 3);
        for (const control of [one, other]) {
          for (const event of events) if (event.what !== 'expand' && event.what !== 'delete') happen(control, event);
          control.submit(command);
        }
        const bricks = (control: ControlPlane) => control.state.volumes.get(command.volumeId)?.bricks;
        expect(bricks(one)).toEqual(bricks(other));
      }),
      { numRuns: 20 },
    );
  });
});
