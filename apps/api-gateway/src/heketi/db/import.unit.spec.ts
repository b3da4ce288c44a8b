import { type DumpFinding, kib, readHeketiDump, type VolumeId } from '@brickyard/contracts';
import { decide, emptyControlState, evolve, planImport, type ControlState, type SeenVolume } from '@brickyard/domain';
import {
  cloneVolume,
  clusterOf,
  createVolume,
  defaultPolicy,
  newOperationId,
  obedient,
  type ControlPlane,
} from '@brickyard/domain/testing';
import fc from 'fast-check';
import { checkView } from './check.view';
import { dumpView, type Dump } from './dump.view';

const DEVICE_KIB = 400 * 1_048_576;
const REPLICATED = { kind: 'replicate', replica: 3 } as const;

/** A dump as it is in a file. */
const written = (dump: Dump): Dump => JSON.parse(JSON.stringify(dump)) as Dump;

/** What the hosts of a state would tell. */
const seenOf = (state: ControlState): ReadonlyMap<string, SeenVolume> =>
  new Map(
    [...state.volumes.values()].map(({ spec, bricks }) => {
      const ordered = [...bricks].sort((one, other) => one.set - other.set || one.place - other.place);
      return [spec.name, { paths: ordered.map(({ path }) => path), options: {} }] as const;
    }),
  );

interface Imported {
  readonly state: ControlState;
  readonly findings: readonly DumpFinding[];
  readonly refused: readonly unknown[];
}

/** A new log that takes over what a dump holds. */
function imported(dump: unknown, seen: ReadonlyMap<string, SeenVolume>): Imported {
  const reading = readHeketiDump(dump);
  const plan = planImport(reading.dump, seen);
  let state = emptyControlState;
  let position = 0;
  const refused: unknown[] = [];
  for (const command of plan.commands) {
    const decision = decide(command, state, { position, now: '2026-01-01T00:00:00.000Z' });
    if (decision.kind === 'rejected') {
      refused.push(decision.rejection);
      continue;
    }
    for (const event of decision.events) {
      position += 1;
      state = evolve(state, { position, at: '2026-01-01T00:00:00.000Z', event });
    }
  }
  return { state, findings: [...reading.findings, ...plan.findings], refused };
}

const happening = fc.oneof(
  fc.record({
    what: fc.constant('create' as const),
    sizeGib: fc.integer({ min: 1, max: 600 }),
    durability: fc.constantFrom({ kind: 'none' } as const, { kind: 'replicate', replica: 2 } as const, REPLICATED, {
      kind: 'disperse',
      data: 2,
      redundancy: 1,
    } as const),
    block: fc.boolean(),
  }),
  fc.record({ what: fc.constant('expand' as const), pick: fc.nat(), addGib: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ what: fc.constant('clone' as const), pick: fc.nat() }),
  fc.record({ what: fc.constant('delete' as const), pick: fc.nat() }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

function happen(plane: ControlPlane, event: Happening, index: number): void {
  const ids = [...plane.state.volumes.keys()].sort();
  const picked = (pick: number): VolumeId | undefined => ids[pick % Math.max(1, ids.length)];
  const operationId = newOperationId();
  if (event.what === 'create') {
    const { durability, sizeGib, block } = event;
    const command = createVolume(`v${String(index)}`, sizeGib, durability);
    const { kind } = durability;
    const shape = kind === 'replicate' ? { replicate: { replica: durability.replica }, disperse: {} } : {};
    const spread =
      kind === 'disperse' ? { disperse: { data: durability.data, redundancy: durability.redundancy } } : {};
    const requestedDurability = { type: kind, replicate: {}, disperse: {}, ...shape, ...spread };
    plane.submit({ ...command, spec: { ...command.spec, block, requestedDurability } });
  } else {
    const volumeId = picked(event.pick);
    if (volumeId === undefined) return;
    if (event.what === 'delete') plane.submit({ type: 'DeleteVolume', operationId, volumeId });
    else if (event.what === 'clone') plane.submit(cloneVolume(volumeId, `c${String(index)}`));
    else {
      const addKib = kib(event.addGib * 1_048_576);
      plane.submit({ type: 'ExpandVolume', operationId, volumeId, addKib, policy: defaultPolicy });
    }
  }
  plane.settle(obedient());
}

/** A small site with one replicated volume, as a dump that may be broken. */
function site(): { readonly dump: Dump; readonly state: ControlState; readonly volumeId: string } {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
  const command = createVolume('data', 10);
  plane.submit({
    ...command,
    spec: { ...command.spec, requestedDurability: { type: 'replicate', replicate: { replica: 3 } } },
  });
  plane.settle(obedient());
  return { dump: written(dumpView(plane.state)), state: plane.state, volumeId: command.volumeId };
}

type Entry = Record<string, unknown>;
type Sections = Record<string, Record<string, Entry>>;

describe('the dump of heketi', () => {
  it('is the same after it was taken over, whatever was made, grown, cloned and deleted before', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (story) => {
        const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB, DEVICE_KIB / 2] })));
        story.forEach((event, index) => {
          happen(plane, event, index);
        });
        const dump = written(dumpView(plane.state));
        const { state, findings, refused } = imported(dump, seenOf(plane.state));
        expect([findings, refused]).toEqual([[], []]);
        expect(written(dumpView(state))).toEqual(dump);
        expect(checkView(dumpView(state)).totalinconsistencies).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('needs no host for volumes of one set', () => {
    const { dump } = site();
    const { state, findings } = imported(dump, new Map());
    expect(findings).toEqual([]);
    expect(written(dumpView(state))).toEqual(dump);
  });

  const told = (change: (sections: Sections, volumeId: string) => void, seen?: ReadonlyMap<string, SeenVolume>) => {
    const { dump, state, volumeId } = site();
    const sections = JSON.parse(JSON.stringify(dump)) as Sections;
    change(sections, volumeId);
    return { ...imported(sections, seen ?? seenOf(state)), volumeId };
  };
  const texts = (findings: readonly DumpFinding[]): string[] =>
    findings.map(({ subject, problem, done }) => `${subject.replace(/[0-9a-f]{32}/g, '…')}: ${problem} → ${done}`);
  const pendingOn = (volumeId: string, change: number): Entry => ({
    Id: 'f'.repeat(32),
    Timestamp: 1,
    Type: 1,
    Actions: [{ Change: change, Id: volumeId, Delta: null }],
    Status: 'stale',
  });

  it('leaves out a volume that was being made, and keeps its devices from being filled', () => {
    const { state, findings } = told(({ pendingoperations = {} }, volumeId) => {
      pendingoperations['f'.repeat(32)] = pendingOn(volumeId, 2);
    });
    expect(state.volumes.size).toBe(0);
    expect([...state.devices.values()].map((device) => device.state)).toEqual(['offline', 'offline', 'offline']);
    expect(texts(findings)).toContain('operation …: is pending (stale) → left out, with 1 things it was making');
    expect(texts(findings)).toContain(
      'volume … (data): was being made when the dump was written → left out, with its bricks',
    );
  });

  it('takes over a volume that was being deleted as it is', () => {
    const { state, findings } = told(({ pendingoperations = {} }, volumeId) => {
      pendingoperations['f'.repeat(32)] = pendingOn(volumeId, 4);
    });
    expect(state.volumes.size).toBe(1);
    expect(texts(findings)).toEqual([
      'operation …: is pending (stale) → left out; what it was to remove is taken over as it is',
    ]);
  });

  it('names orphaned bricks, and a volume that lost its bricks', () => {
    const { state, findings } = told(({ volumeentries = {} }, volumeId) => {
      Object.assign(volumeentries[volumeId] ?? {}, { Bricks: [] });
    });
    expect(state.volumes.size).toBe(0);
    const problems = texts(findings);
    expect(problems).toContain('volume … (data): has no bricks → left out, with its bricks');
    expect(
      problems.filter((text) => /^brick …: volume [0-9a-f]+ does not list it; it lies at /.test(text)),
    ).toHaveLength(3);
  });

  it('counts what bricks take when a device says something else', () => {
    const { state, findings } = told(({ deviceentries = {} }) => {
      const [device] = Object.values(deviceentries);
      const info = device?.['Info'] as { storage: { used: number } };
      info.storage.used += 4096;
    });
    expect(findings.map(({ done }) => done)).toEqual([
      'free space follows from its bricks',
      'what its bricks take counts',
    ]);
    expect(checkView(dumpView(state)).totalinconsistencies).toBe(0);
  });

  it('leaves out what it cannot read, and tells of fields and sections it does not know', () => {
    const { state, findings } = told((sections) => {
      const [node] = Object.values(sections['nodeentries'] ?? {});
      Object.assign(node ?? {}, { State: 'sleeping' });
      Object.assign(Object.values(sections['clusterentries'] ?? {})[0] ?? {}, { Colour: 'red' });
      sections['snapshotentries'] = {};
    });
    expect(state.nodes.size).toBe(2);
    expect(state.volumes.size).toBe(0);
    expect(texts(findings)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^node …: cannot be read: State: /),
        '1 of the clusters: have a field "Colour" that is not known → left out',
        'section snapshotentries: is not known → left out',
      ]),
    );
  });

  it('tells of what is listed twice, listed and not there, or there and not listed', () => {
    const { state, findings } = told(({ clusterentries = {}, deviceentries = {}, volumeentries = {} }, volumeId) => {
      const [cluster] = Object.values(clusterentries);
      const info = cluster?.['Info'] as { nodes: string[]; volumes: string[] };
      info.nodes.push(info.nodes[0] ?? '', 'e'.repeat(32));
      info.volumes = [];
      const lists = [Object.values(deviceentries)[0], volumeentries[volumeId]].map(
        (each) => each?.['Bricks'] as string[],
      );
      for (const bricks of lists) bricks.push(bricks[0] ?? '');
    });
    expect([state.nodes.size, state.devices.size, state.volumes.size]).toEqual([3, 3, 1]);
    expect(texts(findings).map((text) => text.replace(/ [0-9a-f]{32}/g, ' …'))).toEqual([
      'cluster …: lists node … more than once → counts once',
      'cluster …: lists node …, which is not there → left out',
      expect.stringMatching(/^device … .*: lists brick … more than once → counts once$/),
      'volume … (data): lists brick … more than once → counts once',
      'volume … (data): cluster … does not list it → taken over',
    ]);
    expect(checkView(dumpView(state)).totalinconsistencies).toBe(0);
  });

  it('counts the room of a brick that is left out in a pool with a name of its own', () => {
    const { state } = told(({ volumeentries = {}, brickentries = {} }, volumeId) => {
      Object.assign(volumeentries[volumeId] ?? {}, { Bricks: [] });
      for (const brick of Object.values(brickentries)) brick['LvmThinPool'] = `tp_${'f'.repeat(32)}`;
    });
    expect([...state.devices.values()].map((device) => device.state)).toEqual(['offline', 'offline', 'offline']);
  });

  it('leaves out a node or device with the name of one that holds more, before anything is written', () => {
    const { state, findings, refused } = told(({ nodeentries = {}, deviceentries = {} }) => {
      const [one, other] = Object.values(deviceentries).map((device) => structuredClone(device));
      const [node] = Object.values(nodeentries).map((each) => structuredClone(each));
      const twin = (entry: Entry | undefined, id: string, more: Entry): Entry => ({
        ...entry,
        Info: { ...(entry?.['Info'] as Entry), id },
        ...more,
      });
      deviceentries['0'.repeat(32)] = twin(one, '0'.repeat(32), { Bricks: [] });
      nodeentries['1'.repeat(32)] = twin(node, '1'.repeat(32), { Devices: [] });
      deviceentries['2'.repeat(32)] = twin(other, '2'.repeat(32), { Bricks: [], NodeId: '1'.repeat(32) });
    });
    expect([refused, state.nodes.size, state.devices.size, state.volumes.size]).toEqual([[], 3, 3, 1]);
    expect(texts(findings).map((text) => text.replace(/ [0-9a-f]{32}/g, ' …'))).toEqual([
      'node …: has the name of node … → left out, with what is on it',
      expect.stringMatching(/^device … .*: has the name of device … → left out, with what is on it$/),
      expect.stringMatching(/^device … .*: is of node …, which is left out → left out$/),
    ]);
  });

  it('says of a block volume that it is left out, and no more', () => {
    const { findings } = told(({ blockvolumeentries = {} }) => {
      const target = { hosts: ['h'], iqn: 'iqn.x', lun: 0, username: '', password: '' };
      const info = {
        size: 1,
        name: 'b',
        hacount: 3,
        id: 'b'.repeat(32),
        blockvolume: target,
        cluster: 'c',
        usablesize: 1,
      };
      blockvolumeentries['b'.repeat(32)] = { Info: info, Pending: { Id: '' } };
    });
    expect(texts(findings)).toEqual(['block volume … (b): block volumes cannot be taken over → left out']);
  });

  it('leaves out a volume whose hosts have other bricks, and several sets that no host told of', () => {
    const other = told(() => undefined, new Map([['data', { paths: ['/elsewhere'], options: {} }]]));
    expect(texts(other.findings)).toContain(
      'volume … (data): has other bricks on its hosts than in the dump → left out, with its bricks',
    );
    const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB, DEVICE_KIB] })));
    const wide = createVolume('wide', 500);
    const requestedDurability = { type: 'replicate', replicate: { replica: 3 } };
    plane.submit({ ...wide, spec: { ...wide.spec, requestedDurability } });
    plane.settle(obedient());
    const { findings } = imported(written(dumpView(plane.state)), new Map());
    expect(findings[0]?.problem).toBe('has several sets of bricks, and no host told which of them belong together');
  });

  it('is refused as a whole when it is none', () => {
    expect(() => readHeketiDump({ clusters: [] })).toThrow('this is no dump of heketi');
    expect(() => readHeketiDump([])).toThrow('this is no dump of heketi');
  });
});
