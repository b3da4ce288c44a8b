import { type HostName, heartbeatOf, kib, type PlannedTask, type TaskId } from '@brickyard/contracts';
import {
  brick,
  DEVICE_1,
  event,
  NODE_1,
  NODE_2,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../testing/events';
import { GatewayUnderTest } from '../testing/gateway-under-test';
import type { NodeView } from '../heketi/node.view';
import type { VolumeView } from '../heketi/volume.view';

const HOST = 'node1.example' as HostName;
const operationId = nextOperation();
const taskId = `${operationId}.0.act.a` as TaskId;

const task: PlannedTask = {
  taskId,
  nodeId: NODE_1,
  host: HOST,
  resource: 'brick-a',
  task: { type: 'DeleteBrick', brick: { ...brickOnly(), deviceName: '/dev/sdb', gid: 0 } },
};

function brickOnly(): Omit<ReturnType<typeof brick>, 'nodeId' | 'set' | 'place'> {
  const { nodeId: _nodeId, set: _set, place: _place, ...rest } = brick('9', DEVICE_1, NODE_1);
  return rest;
}

describe('what heketi never had', () => {
  let under: GatewayUnderTest;
  let last = 0;
  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    const start = { operationId, step: 0, name: 'create-bricks', direction: 'act' as const, attempt: 1, tasks: [task] };
    last = await under.record(
      ...smallCluster(),
      volumePlanned(VOLUME, volumeSpec('v', { sizeKib: kib(10_485_760) }), [brick('9', DEVICE_1, NODE_1)], operationId),
      event('StepStarted', start),
      event('NodeLost', { nodeId: NODE_1, silentSince: '2026-01-31T03:12:00.000Z' }),
    );
    await under.fetch(`/clusters?after=${String(last)}`);
  });
  afterAll(() => under.stop());

  it('shows everything at once as the routes of each thing show it, now and then', async () => {
    const get = async (path: string): Promise<Record<string, unknown>> =>
      (await (await under.fetch(path)).json()) as Record<string, unknown>;
    const topology = await get('/v1/topology');
    const { clusters } = (await get('/clusters')) as { clusters: string[] };
    const { volumes } = (await get('/volumes')) as { volumes: string[] };
    expect(clusters).toHaveLength(1);
    const shown = await Promise.all(clusters.map((id) => get(`/clusters/${id}`)));
    const nodes = shown.flatMap((cluster) => cluster['nodes'] as string[]);
    expect(topology['clusters']).toEqual(shown);
    expect(topology['nodes']).toEqual(await Promise.all(nodes.map((id) => get(`/nodes/${id}`))));
    expect(topology['volumes']).toEqual(await Promise.all(volumes.map((id) => get(`/volumes/${id}`))));
    expect(await get('/v1/volumes')).toEqual({ volumes: topology['volumes'] });
    expect(await get('/v1/topology?at=1')).toMatchObject({ nodes: [], volumes: [] });
    const brief = await get('/v1/topology?brief=true');
    expect(brief['clusters']).toEqual(topology['clusters']);
    expect(brief['nodes']).toEqual(
      (topology['nodes'] as NodeView[]).map((node) => ({
        ...node,
        devices: node.devices.map((device) => ({
          ...device,
          bricks: device.bricks.map(({ id, volume, size }) => ({ id, volume, size })),
        })),
      })),
    );
    expect(brief['volumes']).toEqual(
      (topology['volumes'] as VolumeView[]).map(({ id, name, size, durability, cluster, bricks }) => ({
        id,
        name,
        size,
        durability,
        cluster,
        bricks: bricks.length,
      })),
    );
    expect(await get('/v1/volumes?brief=true')).toEqual({ volumes: brief['volumes'] });
  });

  const json = async (path: string): Promise<unknown> => (await under.fetch(path)).json();

  it('tells the history of a volume, its operations included, the latest last', async () => {
    expect(await json(`/v1/history/volumes/${VOLUME}`)).toMatchObject({
      events: [
        { position: last - 2, type: 'VolumePlanned', stream: `volume-${VOLUME}`, actor: { name: 'spec' } },
        {
          position: last - 1,
          type: 'StepStarted',
          stream: `operation-${operationId}`,
          data: { name: 'create-bricks' },
        },
      ],
    });
    expect(await json(`/v1/history/volumes/${VOLUME}?limit=1`)).toMatchObject({ events: [{ type: 'StepStarted' }] });
    expect(await json(`/v1/history/volumes/${VOLUME}?at=${String(last - 2)}`)).toMatchObject({
      events: [{ type: 'VolumePlanned' }],
    });
  });

  it('says what an operation waits for, and whose agent is silent', async () => {
    const waitsFor = `DeleteBrick by the agent of ${HOST}, which is silent since 2026-01-31T03:12:00.000Z`;
    expect(await json('/v1/operations')).toMatchObject({
      operations: expect.arrayContaining([
        expect.objectContaining({
          id: operationId,
          kind: 'create-volume',
          subject: VOLUME,
          status: 'running',
          waitsFor,
        }),
      ]) as unknown,
    });
    expect(await json(`/v1/operations/${operationId}`)).toMatchObject({
      id: operationId,
      step: { name: 'create-bricks', direction: 'act', tasks: [{ id: taskId, status: 'running', waitsFor }] },
    });
  });

  it('tells nodes with their agents: real or simulated, heard or lost', async () => {
    const heartbeat = { host: HOST, incarnation: 'i1', glusterd: 'running', simulated: true, intervalMs: 60_000 };
    const heard = async (): Promise<string> => {
      under.bus.publish(heartbeatOf(HOST), heartbeat);
      return JSON.stringify(await json('/v1/status'));
    };
    while (!(await heard()).includes('"incarnation":"i1"'));
    expect(await json('/v1/status')).toMatchObject({
      position: last,
      leader: { epoch: 1 },
      counts: { clusters: 1, nodes: 2, devices: 2, volumes: 1, operations: 1 },
      nodes: [
        { id: NODE_1, lost: true, lostSince: '2026-01-31T03:12:00.000Z', agent: { heard: true, host: 'simulated' } },
        { id: NODE_2, lost: false, agent: { heard: false } },
      ],
    });
  });

  it.each([
    [`/v1/history/volumes/${'0'.repeat(32)}`, 404, 'Id not found'],
    [`/v1/operations/${'0'.repeat(31)}f`, 404, 'Id not found'],
    [`/v1/history/volumes/${VOLUME}?limit=0`, 400, 'query parameter limit must be a whole number from 1 to 10000'],
  ])('tells trouble with %s as problem+json', async (path, status, detail) => {
    const response = await under.fetch(path);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect([response.status, await response.json()]).toEqual([status, { type: 'about:blank', status, detail }]);
  });
});
