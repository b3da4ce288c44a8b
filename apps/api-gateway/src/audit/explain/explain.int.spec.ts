import {
  type BrickId,
  gib,
  kibOf,
  type CommandOf,
  type ControlEvent,
  type OperationId,
  type VolumeId,
} from '@brickyard/contracts';
import { type ControlState, decide, emptyControlState, evolve } from '@brickyard/domain';
import {
  cloneVolume,
  clusterOf,
  type ControlPlane,
  createVolume,
  failed,
  newOperationId,
  obedient,
} from '@brickyard/domain/testing';
import { idOf, NODE_1, NODE_2, smallCluster, VOLUME, volumeSpec } from '../../testing/events';
import { GatewayUnderTest } from '../../testing/gateway-under-test';

const operationId = idOf('5') as OperationId;
const NOW = '2026-01-31T03:12:00.000Z';

const foldOf = (events: readonly ControlEvent[]): ControlState =>
  events.reduce((at, event, index) => evolve(at, { position: index + 1, at: NOW, event }), emptyControlState);

/** What the allocator would record for a volume of two copies on the small cluster. */
function planned(before: readonly ControlEvent[]): readonly ControlEvent[] {
  const now = NOW;
  const state = foldOf(before);
  const command: CommandOf<'CreateVolume'> = {
    type: 'CreateVolume',
    operationId,
    volumeId: VOLUME,
    spec: volumeSpec('v', { durability: { kind: 'replicate', replica: 2 }, sizeKib: kibOf(gib(10)) }),
    clusters: [],
    policy: {
      brickMinKib: kibOf(gib(1)),
      brickMaxKib: kibOf(gib(4_096)),
      bricksPerVolumeMax: 32,
      volumesPerClusterMax: 1_000,
      zoneChecking: 'none',
    },
  };
  const decision = decide(command, state, { position: before.length, now });
  if (decision.kind === 'rejected') throw new Error(decision.rejection.kind);
  return decision.events;
}

/** A volume whose first devices failed, of which a brick stayed at first and moved then, and a clone of it. */
function movedVolume(): { plane: ControlPlane; volumeId: VolumeId; cloneId: VolumeId; brickId: BrickId } {
  const devicesKib = [kibOf(gib(500)), kibOf(gib(500))];
  const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib })));
  const command = createVolume('data', 10);
  const { volumeId } = command;
  plane.submit(command);
  let failures = 1;
  plane.settle((task) =>
    task.task.type === 'CreateBrick' && failures-- > 0 ? failed('the disk is on fire') : obedient(devicesKib[0])(task),
  );
  const brickId = plane.state.volumes.get(volumeId)?.bricks[0]?.brickId;
  if (brickId === undefined) throw new Error('the volume has no brick');
  const evict = { type: 'EvictBrick', brickId, healCheck: 'enable' } as const;
  plane.submit({ ...evict, operationId: newOperationId() });
  plane.settle((task) => (task.task.type === 'CreateBrick' ? failed('no room on the disk') : obedient()(task)));
  plane.submit({ ...evict, operationId: newOperationId() });
  plane.settle(obedient());
  const clone = cloneVolume(volumeId, 'copy');
  plane.submit(clone);
  plane.settle(obedient());
  return { plane, volumeId, cloneId: clone.volumeId, brickId };
}

describe('explanations', () => {
  let under: GatewayUnderTest;
  let last = 0;
  let stateAt = emptyControlState;

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    const topology = smallCluster();
    const events = [...topology, ...planned(topology)];
    stateAt = foldOf(events);
    last = await under.record(...events);
    await under.fetch(`/clusters?after=${String(last)}`);
  });
  afterAll(() => under.stop());

  const json = async (path: string): Promise<unknown> => (await under.fetch(path)).json();
  const post = async (steps: unknown, query = ''): Promise<[number, unknown]> => {
    const response = await under.fetch(`/v1/what-if${query}`, { method: 'POST', body: JSON.stringify({ steps }) });
    return [response.status, await response.json()];
  };

  it('tell of a volume every device that was considered, and why', async () => {
    expect(await json(`/v1/explain/volumes/${VOLUME}`)).toMatchObject({
      id: VOLUME,
      status: 'creating',
      health: 'whole',
      placements: [
        {
          type: 'VolumePlanned',
          actor: { name: 'spec' },
          isReproducible: true,
          attempts: [{ sets: 1, outcome: 'placed' }],
          sets: [
            {
              devices: [
                { rank: 1, verdict: 'chosen', why: expect.stringContaining('no rule spoke against it') as unknown },
                { rank: 2, verdict: 'chosen' },
              ],
            },
          ],
        },
      ],
    });
    expect((await under.fetch(`/v1/explain/volumes/${VOLUME}?at=3`)).status).toBe(404);
  });

  it('tell how a volume was planned again, its bricks moved, and whose clone it is', async () => {
    const other = await GatewayUnderTest.start();
    try {
      const { plane, volumeId, cloneId, brickId } = movedVolume();
      const end = await other.record(...plane.log.map(({ event }) => event));
      const told = async (id: string): Promise<unknown> =>
        (await other.fetch(`/v1/explain/volumes/${id}?after=${String(end)}`)).json();
      const place = { device: expect.any(String) as unknown, host: expect.stringMatching(/^n\d$/) as unknown };
      const rule = { ...place, rule: 'node-in-set', why: 'another brick of the set is on its node already' };
      expect(await told(volumeId)).toMatchObject({
        placements: [{ type: 'VolumePlanned' }, { type: 'VolumeReplanned', instead: 'the disk is on fire' }],
        moves: [
          { type: 'BrickEvictionPlanned', result: 'stayed', detail: 'no room on the disk' },
          {
            result: 'moved',
            brick: brickId,
            from: place,
            to: place,
            passedOver: [rule],
          },
        ],
      });
      expect(await told(cloneId)).toMatchObject({ cloned: { origin: volumeId }, placements: [], moves: [] });
      // What the explanation said then, it says for that moment still.
      const early = plane.log.findIndex(({ event }) => event.type === 'VolumeReplanned');
      const then = await other.fetch(`/v1/explain/volumes/${volumeId}?at=${String(early)}`);
      expect(await then.json()).toMatchObject({ placements: [{ type: 'VolumePlanned' }], moves: [] });
    } finally {
      await other.stop();
    }
  });

  it('tell of an operation its steps, what it waits for and what comes next', async () => {
    expect(await json(`/v1/explain/operations/${operationId}`)).toMatchObject({
      id: operationId,
      kind: 'create-volume',
      trigger: { type: 'VolumePlanned', actor: { name: 'spec' } },
      waitsFor: expect.stringContaining('CreateBrick by the agent of') as unknown,
      steps: [{ name: 'create-bricks', direction: 'act', attempt: 1, tasks: [{ status: 'running' }, {}] }],
      plan: [{ status: 'current' }, { status: 'to-do' }, { status: 'to-do' }],
      next: expect.stringMatching(/^then .*, and it is done; should the step fail for good, it takes back /) as unknown,
    });
    expect((await under.fetch(`/v1/explain/operations/${idOf('7')}`)).status).toBe(404);
  });

  it('tell a refusal in full by the id its answer carried', async () => {
    const spec = { size: 5_000, durability: { type: 'replicate', replicate: { replica: 2 } } };
    const answering = under.answerCommands(({ command }) => {
      const state = stateAt;
      const decision = decide(command, state, { position: last, now: NOW });
      if (decision.kind === 'accepted') throw new Error('it fits');
      return { kind: 'rejected', position: last, rejection: decision.rejection };
    });
    const refused = await under.fetch('/volumes', { method: 'POST', body: JSON.stringify(spec) });
    await answering.close();
    const id = refused.headers.get('x-brickyard-refusal') ?? '';
    expect([refused.status, id]).toEqual([500, expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect(await json(`/v1/explain/refusals/${id}`)).toMatchObject({
      id,
      position: last,
      isReproducible: true,
      request: { method: 'POST', path: '/volumes' },
      reason: 'Failed to allocate new volume: No space',
      remedy: refused.headers.get('x-brickyard-remedy'),
      clusters: [{ kind: 'NoSpace', devices: [{ rule: 'too-little-space' }, { host: expect.any(String) as unknown }] }],
    });
    expect((await under.fetch(`/v1/explain/refusals/${idOf('9')}`)).status).toBe(404);
  });

  it('play a story through without changing anything', async () => {
    const volume = { size: 100, durability: { type: 'replicate', replicate: { replica: 2 } } };
    const [status, told] = await post([
      { do: 'create-volume', volume },
      { do: 'fill', volume },
      { do: 'create-volume', volume },
      { do: 'add-devices', node: NODE_1, sizeGib: 500, count: 2 },
      { do: 'add-devices', node: NODE_2, sizeGib: 500, count: 2 },
      { do: 'fill', volume },
      { do: 'lose-node', node: NODE_1 },
    ]);
    expect(status).toBe(200);
    expect(told).toMatchObject({
      position: last,
      steps: [
        { fits: true, bricks: [{}, {}] },
        { count: 3, isAll: true, endedBy: { fits: false } },
        { fits: false, reason: expect.stringContaining('No space') as unknown, remedy: expect.any(String) as unknown },
        { host: 'node1.example', added: 2 },
        {},
        { count: 10, isAll: true }, // Eight of one set each, two cut smaller.
        {
          touched: 15,
          counts: { degraded: 15, unreachable: 0 },
          evacuation: { fits: false, blocked: expect.any(Number) as unknown },
        },
      ],
    });
    expect(await json('/v1/status')).toMatchObject({ position: last, counts: { volumes: 1, devices: 2 } });
    expect(await post([{ do: 'lose-node', node: NODE_1 }], '?at=9')).toMatchObject([200, { position: 9 }]);
  });

  it.each([
    [[{ do: 'lose-node', node: idOf('8') }], 404, 'is not there'],
    [[{ do: 'explode' }], 400, 'steps.0.do'],
    [[], 400, 'steps'],
    [[{ do: 'create-volume', volume: { size: 0 } }], 400, 'size: cannot be blank'],
    [[{ do: 'add-devices', node: NODE_1, sizeGib: 0.5 }], 400, 'steps.0.sizeGib'],
  ])('refuse the story %j', async (steps, status, detail) => {
    expect(await post(steps)).toMatchObject([status, { detail: expect.stringContaining(detail) as unknown }]);
  });
});
