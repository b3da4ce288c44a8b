import { type ControlEvent, kib } from '@brickyard/contracts';
import { type ControlState, emptyControlState, evolve } from '@brickyard/domain';
import {
  brick,
  CLUSTER,
  DEVICE_1,
  DEVICE_2,
  event,
  idOf,
  NODE_1,
  NODE_2,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../testing/events';
import { clusterListView, clusterView } from './cluster.view';
import { deviceView } from './device.view';
import { goJson } from './go-json';
import { nodeView } from './node.view';
import { queueView } from './queue.view';
import { countedOperationsOf, visibleDevice, visibleNode, visibleVolume, volumeIdsOf } from './visible';
import { durabilityView, volumeListView, volumeView } from './volume.view';

const at = '2026-01-31T03:12:00.000Z';
const fold = (...events: readonly ControlEvent[]): ControlState =>
  events.reduce((state, one, index) => evolve(state, { position: index + 1, at, event: one }), emptyControlState);

const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('expected to be there');
  return value;
};

const replicated = volumeSpec('myvol', {
  durability: { kind: 'replicate', replica: 2 },
  requestedDurability: { type: 'replicate', replicate: { replica: 2 }, disperse: {} },
  gid: 2000,
  options: ['', 'a <b>', ''],
});
const bricks = [brick('9', DEVICE_1, NODE_1, 0), brick('8', DEVICE_2, NODE_2, 1)];
const operationId = nextOperation();
const OTHER_OPERATION = nextOperation();
const planned = [...smallCluster(), volumePlanned(VOLUME, replicated, bricks, operationId)];
const created = [...planned, event('VolumeCreated', { operationId, volumeId: VOLUME })];

describe('views', () => {
  it('show a cluster with its nodes and volumes in order', () => {
    const state = fold(...created);
    expect(goJson(clusterView(state, present(state.clusters.get(CLUSTER))))).toBe(
      `{"id":"${CLUSTER}","nodes":["${NODE_1}","${NODE_2}"],"volumes":["${VOLUME}"],"block":false,"file":true,"blockvolumes":[]}\n`,
    );
    expect(goJson(clusterListView(state))).toBe(`{"clusters":["${CLUSTER}"]}\n`);
  });

  it("show a durability in heketi's order, whatever the order it is kept in", () => {
    const kept = { disperse: { data: 4 }, replicate: { replica: 2 }, type: 'replicate' };
    expect(goJson(durabilityView(volumeSpec('v', { requestedDurability: kept })))).toBe(
      '{"type":"replicate","replicate":{"replica":2},"disperse":{"data":4}}\n',
    );
    expect(durabilityView(volumeSpec('v', { requestedDurability: null }))).toBeNull();
  });

  it('show a volume as heketi does, HTML escaped', () => {
    const state = fold(...created);
    expect(goJson(volumeView(state, present(visibleVolume(state, VOLUME))))).toBe(
      `{"size":10,"name":"myvol","durability":{"type":"replicate","replicate":{"replica":2},"disperse":{}},"gid":2000,` +
        `"glustervolumeoptions":["","a \\u003cb\\u003e",""],"snapshot":{"enable":false,"factor":1},"id":"${VOLUME}","cluster":"${CLUSTER}",` +
        `"mount":{"glusterfs":{"hosts":["10.0.0.1","10.0.0.2"],"device":"10.0.0.1:myvol","options":{"backup-volfile-servers":"10.0.0.2"}}},` +
        `"blockinfo":{},"bricks":[` +
        bricks
          .toReversed()
          .map(
            (one) =>
              `{"id":"${one.brickId}","path":"${one.path}","device":"${one.deviceId}","node":"${one.nodeId}","volume":"${VOLUME}","size":10485760}`,
          )
          .join(',') +
        `]}\n`,
    );
  });

  it('show a node with its devices, tags sorted, empty ones left out', () => {
    const state = fold(...created);
    const node = goJson(nodeView(state, present(visibleNode(state, NODE_1))));
    const device = goJson(deviceView(state, present(visibleDevice(state, DEVICE_1)))).trimEnd();
    expect(node).toBe(
      `{"zone":1,"hostnames":{"manage":["node1.example"],"storage":["10.0.0.1"]},"cluster":"${CLUSTER}","id":"${NODE_1}","state":"online","devices":[${device}]}\n`,
    );
    expect(device).toMatch(
      /^\{"name":"\/dev\/sdb","tags":\{"a":"1","b":"2"\},"storage":\{"total":524288000,"free":513748992,"used":10539008\},"id":"d+","paths":\["\/dev\/sdb"\],"pv_uuid":"pv-d","state":"online","bricks":\[\{"id":"9+",/,
    );
  });

  it('hide a volume that is being made, while its bricks take their space', () => {
    const state = fold(...planned);
    expect(visibleVolume(state, VOLUME)).toBeUndefined();
    expect(volumeListView(state)).toEqual({ volumes: [] });
    expect(clusterView(state, present(state.clusters.get(CLUSTER))).volumes).toEqual([]);
    expect(deviceView(state, present(visibleDevice(state, DEVICE_1)))).toMatchObject({
      storage: { used: 10_539_008 },
      bricks: [{ volume: VOLUME }],
    });
    expect(countedOperationsOf(state)).toBe(1);
  });

  it('hide a volume that is being deleted and show it again when that fails', () => {
    const deletion = { operationId: nextOperation(), volumeId: VOLUME };
    const deleting = [...created, event('VolumeDeletionPlanned', deletion)];
    expect(volumeIdsOf(fold(...deleting))).toEqual([]);
    const undone = event('VolumeDeletionUndone', { ...deletion, detail: 'busy', cause: '' });
    expect(volumeIdsOf(fold(...deleting, undone))).toEqual([VOLUME]);
  });

  it('show a volume that grows with its old size and its new bricks', () => {
    const more = [brick('7', DEVICE_1, NODE_1, 0), brick('6', DEVICE_2, NODE_2, 1)].map((one) => ({ ...one, set: 1 }));
    const placement = { policy: 'ring-v1' as const, clusterId: CLUSTER, seed: '', ringSize: 2 };
    const state = fold(
      ...created,
      event('VolumeExpansionPlanned', {
        operationId: nextOperation(),
        volumeId: VOLUME,
        addKib: kib(10_485_760),
        bricks: more,
        placement: { ...placement, unusable: [], attempts: [], sets: [] },
      }),
    );
    const view = volumeView(state, present(visibleVolume(state, VOLUME)));
    expect([view.size, view.bricks.map(({ id }) => id.charAt(0))]).toEqual([10, ['6', '7', '8', '9']]);
  });

  it('hide a node and a device on their way in', () => {
    const all = smallCluster();
    const nodeOnWay = fold(...all.slice(0, 2));
    expect(visibleNode(nodeOnWay, NODE_2)).toBeUndefined();
    expect(clusterView(nodeOnWay, present(nodeOnWay.clusters.get(CLUSTER))).nodes).toEqual([]);
    const deviceOnWay = fold(...all.slice(0, 6));
    expect(visibleDevice(deviceOnWay, DEVICE_1)).toBeUndefined();
    expect(nodeView(deviceOnWay, present(visibleNode(deviceOnWay, NODE_1))).devices).toEqual([]);
  });

  it('sort volumes once for each state', () => {
    const volumes = Array.from({ length: 300 }, (_, index) => (index * 7_919).toString(16).padStart(32, '0'));
    const events = volumes.flatMap((text, index) => {
      const id = { volumeId: text as typeof VOLUME, operationId: nextOperation() };
      const name = `v${String(index)}`;
      return [volumePlanned(id.volumeId, volumeSpec(name), [], id.operationId), event('VolumeCreated', id)];
    });
    const state = fold(...smallCluster(), ...events);
    expect(volumeIdsOf(state)).toEqual([...volumes].sort());
    expect(volumeIdsOf({ ...state })).toBe(volumeIdsOf(state));
  });
});

describe('GET /queue/{id}', () => {
  it('follows a volume from its plan to its end', () => {
    expect(queueView(fold(...planned), operationId)).toEqual({ kind: 'running' });
    expect(queueView(fold(...created), operationId)).toEqual({ kind: 'result', location: `/volumes/${VOLUME}` });
    const undone = event('VolumeCreationUndone', { operationId, volumeId: VOLUME, detail: 'no lv', cause: 'lvcreate' });
    expect(queueView(fold(...planned, undone), operationId)).toEqual({ kind: 'failed', detail: 'no lv' });
  });

  it('does not know what never was', () => {
    expect(queueView(fold(), idOf('f'))).toEqual({ kind: 'unknown' });
    expect(queueView(fold(), 'F')).toEqual({ kind: 'unknown' });
  });

  it('leads to what was made, and nowhere when nothing is told', () => {
    const [, planOfNode, nodeAdded] = smallCluster();
    const nodeEnd = present(nodeAdded) as Extract<ControlEvent, { type: 'NodeAdded' }>;
    const events = [present(smallCluster()[0]), { ...present(planOfNode), operationId: nodeEnd.operationId }, nodeEnd];
    expect(queueView(fold(...(events as ControlEvent[])), nodeEnd.operationId)).toEqual({
      kind: 'result',
      location: `/nodes/${NODE_2}`,
    });
    const stateSet = event('NodeStateSet', { operationId: OTHER_OPERATION, nodeId: NODE_2, state: 'offline' });
    expect(queueView(fold(...smallCluster(), stateSet), OTHER_OPERATION)).toEqual({ kind: 'no-result' });
  });
});
