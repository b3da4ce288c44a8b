import type { ClientCommand, CommandEnvelope, CommandReply, HostName, Rejection } from '@brickyard/contracts';
import { probeOf, VolumeId } from '@brickyard/contracts';
import { GatewayUnderTest } from '../testing/gateway-under-test';
import {
  brick,
  CLUSTER,
  DEVICE_1,
  event,
  idOf,
  NODE_1,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../testing/events';

const accepted = (envelope: CommandEnvelope, position = 9): CommandReply => {
  const { command } = envelope;
  const ids = Object.fromEntries(Object.entries(command).filter(([name]) => /^[a-z]+Id$/.test(name)));
  return { kind: 'accepted', position, repeated: false, ids };
};
const rejected = (rejection: Rejection): CommandReply => ({ kind: 'rejected', position: 9, rejection });

describe('commands of the gateway', () => {
  let under: GatewayUnderTest;
  let heard: CommandEnvelope[] = [];
  let answer: (envelope: CommandEnvelope) => CommandReply | Promise<CommandReply> = accepted;

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    await under.record(...smallCluster());
    under.answerCommands((envelope) => {
      heard.push(envelope);
      return answer(envelope);
    });
  });
  afterAll(() => under.stop());
  beforeEach(() => {
    heard = [];
    answer = accepted;
  });

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    under.fetch(path, { method: 'POST', body: JSON.stringify(body), headers });
  const allHeard = async (count: number): Promise<void> => {
    while (heard.length < count) await new Promise(setImmediate);
  };
  const commands = (): ClientCommand[] => heard.map(({ command }) => command);

  it('answers a new cluster with 201 and the id it sent', async () => {
    const response = await post('/clusters', { file: true });
    const [command] = commands() as Extract<ClientCommand, { type: 'CreateCluster' }>[];
    expect(command).toMatchObject({ type: 'CreateCluster', flags: { file: true, block: false } });
    expect([response.status, await response.text()]).toEqual([
      201,
      `{"id":"${String(command?.clusterId)}","nodes":[],"volumes":[],"block":false,"file":true,"blockvolumes":[]}\n`,
    ]);
  });

  it('answers new flags with 200, the content type of JSON and nothing in it', async () => {
    const response = await post(`/clusters/${CLUSTER}/flags`, { block: true });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/json; charset=UTF-8',
      '',
    ]);
    expect(commands()).toEqual([{ type: 'SetClusterFlags', clusterId: CLUSTER, flags: { file: false, block: true } }]);
  });

  it('answers a volume with 202 and where to watch it', async () => {
    const response = await post('/volumes', { size: 5, clusters: [CLUSTER], name: 'v' });
    const [command] = commands() as Extract<ClientCommand, { type: 'CreateVolume' }>[];
    expect([response.status, response.headers.get('location'), await response.text()]).toEqual([
      202,
      `/queue/${String(command?.operationId)}`,
      '',
    ]);
    expect(command).toMatchObject({
      clusters: [CLUSTER],
      spec: { name: 'v', sizeKib: 5_242_880 },
      policy: { brickMinKib: 1_048_576, brickMaxKib: 4_294_967_296, bricksPerVolumeMax: 32, zoneChecking: 'none' },
    });
    expect(response.headers.get('x-brickyard-position')).toBe('9');
  });

  describe('a clone', () => {
    /** An agent that can be asked once this resolves: the gateway asks over a connection of its own. */
    const agent = async (said: object): Promise<{ close(): unknown }> => {
      const answering = under.bus.respond(probeOf('node1.example' as HostName), () =>
        Promise.resolve({ host: 'node1.example', incarnation: 'i', glusterd: 'running', simulated: true, ...said }),
      );
      await under.bus.published();
      return answering;
    };
    const cloned = (): Extract<ClientCommand, { type: 'CloneVolume' }>[] =>
      commands() as Extract<ClientCommand, { type: 'CloneVolume' }>[];

    it('is sent with what the hosts of the bricks say they can', async () => {
      const operationId = nextOperation();
      const planned = volumePlanned(VOLUME, volumeSpec('v'), [brick('b', DEVICE_1, NODE_1)], operationId);
      const position = await under.record(planned, event('VolumeCreated', { operationId, volumeId: VOLUME }));
      await under.fetch(`/volumes?after=${String(position)}`);
      for (const [said, unable] of [
        [{ brickDriver: 'lvm-thin', clones: true }, []],
        [{ brickDriver: 'loop-xfs', clones: false }, [{ nodeId: NODE_1, brickDriver: 'loop-xfs' }]],
        [{}, [{ nodeId: NODE_1, brickDriver: 'not told' }]],
      ] as const) {
        heard = [];
        const answering = await agent(said);
        const response = await post(`/volumes/${VOLUME}/clone`, {});
        await answering.close();
        const [command] = cloned();
        expect([response.status, response.headers.get('location')]).toEqual([
          202,
          `/queue/${String(command?.operationId)}`,
        ]);
        const name = `vol_${String(command?.volumeId)}`;
        expect(command).toMatchObject({ originId: VOLUME, name, probe: { silent: [], unable } });
      }
    });

    it('says which host did not answer', async () => {
      await post(`/volumes/${VOLUME}/clone`, { name: 'copy' });
      expect(cloned()[0]).toMatchObject({ name: 'copy', probe: { silent: [NODE_1], unable: [] } });
    });

    it('is refused in the words of heketi', async () => {
      const refusals = [
        [{ kind: 'CloneOfHostingVolume', volumeId: VOLUME }, 'Cloning of block hosting volumes is not supported'],
        [{ kind: 'CloneNameInUse', volumeId: VOLUME, name: 'copy' }, "Volume name 'copy' already in use"],
        [
          { kind: 'CloneNotSupported', volumeId: VOLUME, nodeId: NODE_1, brickDriver: 'loop-xfs' },
          'brick driver is loop-xfs',
        ],
        [{ kind: 'CloneNodeSilent', volumeId: VOLUME, nodeId: NODE_1 }, 'does not answer'],
      ] as const;
      for (const [refusal, text] of refusals) {
        answer = () => rejected(refusal);
        const response = await post(`/volumes/${VOLUME}/clone`, {});
        expect(response.status).toBe(500);
        const said = await response.text();
        expect(said).toMatch(new RegExp(`^Failed clone volume ${VOLUME}: `));
        expect(said).toContain(text);
      }
    });

    it('needs a body and a name that can be one', async () => {
      const bad = await post(`/volumes/${VOLUME}/clone`, { name: 'bad name' });
      expect([bad.status, await bad.text()]).toEqual([400, 'validation failed: name: must be in a valid format.\n']);
      const none = await under.fetch(`/volumes/${VOLUME}/clone`, { method: 'POST' });
      expect([none.status, await none.text()]).toEqual([422, 'request unable to be parsed\n']);
      expect(commands()).toEqual([]);
    });
  });

  it('says on whose behalf a command is, and until when it matters', async () => {
    await under.fetch(`/volumes/${VOLUME}`, { method: 'DELETE' });
    expect(heard[0]?.actor).toEqual({ name: 'anonymous', role: 'admin', address: '127.0.0.1' });
    expect(heard[0]?.deadline).toBeGreaterThan(Date.now());
  });

  it('tells the first ids again when a key is repeated', async () => {
    const operationId = 'ab'.repeat(16);
    answer = () => ({ kind: 'accepted', position: 9, repeated: true, ids: { operationId } });
    const headers = { 'idempotency-key': 'order-7' };
    const [first, second] = [
      await post('/volumes', { size: 1 }, headers),
      await post('/volumes', { size: 1 }, headers),
    ];
    expect([first.headers.get('location'), second.headers.get('location')]).toEqual([
      `/queue/${operationId}`,
      `/queue/${operationId}`,
    ]);
    expect(heard.map(({ commandId }) => commandId)).toEqual(Array(2).fill('anonymous:POST:/volumes:order-7'));
    expect((await post('/volumes', { size: 1 }, { 'idempotency-key': 'a b' })).status).toBe(400);
  });

  it('does not pass off the first answer to a key as the answer to another request', async () => {
    const ids = { clusterId: CLUSTER };
    const firsts = new Map<string, number>();
    answer = async ({ commandId, correlationId }) => {
      const known = firsts.get(commandId);
      if (known !== undefined) return { kind: 'accepted', position: known, repeated: true, ids };
      const position = await under.recordFor(
        correlationId,
        event('ClusterFlagsSet', { clusterId: CLUSTER, flags: { file: true, block: true } }),
      );
      firsts.set(commandId, position);
      return { kind: 'accepted', position, repeated: false, ids };
    };
    const headers = { 'idempotency-key': 'one-cluster' };
    expect((await post('/clusters', { file: true }, headers)).status).toBe(201);
    expect((await post('/clusters', { file: true }, headers)).status).toBe(201);
    const other = await post('/clusters', { block: true }, headers);
    expect([other.status, await other.text()]).toEqual([
      422,
      expect.stringMatching(/^Idempotency-Key was used before.*give it a key of its own\n$/),
    ]);
    const [first] = firsts.values();
    firsts.set('anonymous:POST:/clusters:of-an-earlier-release', first ?? 0);
    const earlier = { 'idempotency-key': 'of-an-earlier-release' };
    expect((await post('/clusters', { block: true }, earlier)).status).toBe(201);
  });

  it('tells a refusal in heketi’s words, and in a header what would help', async () => {
    answer = () =>
      rejected({
        kind: 'NotPlaced',
        ineligible: false,
        remedy: 'one more node\nin zone „3”',
        refusals: [{ clusterId: CLUSTER, refusal: { kind: 'NoNodes' } }],
      });
    const response = await post('/volumes', { size: 1 });
    expect([response.status, await response.text()]).toEqual([
      500,
      'Failed to allocate new volume: No nodes in cluster\n',
    ]);
    expect(response.headers.get('x-brickyard-remedy')).toBe('one more node in zone ?3?');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('ends the text of a host name in use with two line breaks', async () => {
    answer = () => rejected({ kind: 'HostnameInUse', hostname: 'h', nodeId: NODE_1 });
    const hostnames = { manage: ['h'], storage: ['10.9.9.9'] };
    const response = await post('/nodes', { zone: 1, cluster: CLUSTER, hostnames });
    expect([response.status, await response.text()]).toEqual([
      409,
      `Hostname h already used by node with id ${NODE_1}\n\n`,
    ]);
  });

  it('asks the new host and a member whether Gluster runs before a node is added', async () => {
    const agents = ['node1.example', 'new.example'].map((host) =>
      under.bus.respond(probeOf(host as HostName), () =>
        Promise.resolve({ host, incarnation: 'i', glusterd: 'running', simulated: true }),
      ),
    );
    await under.bus.published();
    const hostnames = { manage: ['new.example'], storage: ['10.0.0.9'] };
    const response = await post('/nodes', { zone: 2, cluster: CLUSTER, hostnames, tags: { a: 'b' } });
    expect(response.status).toBe(202);
    expect(commands()[0]).toMatchObject({
      type: 'AddNode',
      zone: 2,
      probe: { newNode: 'running', members: 'running' },
    });
    for (const agent of agents) await agent.close();
    heard = [];
    await post('/nodes', { zone: 2, cluster: CLUSTER, hostnames });
    expect(commands()[0]).toMatchObject({ probe: { newNode: 'no-agent', members: 'stopped' } });
  });

  it('gives a busy member time to say that Gluster runs', async () => {
    const host = 'node1.example';
    const said = { host, incarnation: 'i', glusterd: 'running', simulated: true };
    let asked = 0;
    let askedAgain = (): void => undefined;
    const again = new Promise<void>((resolve) => (askedAgain = resolve));
    const agent = under.bus.respond(probeOf(host as HostName), async () => {
      if ((asked += 1) > 1) askedAgain();
      await again; // The first question is answered when it is too late.
      return said;
    });
    await under.bus.published();
    const hostnames = { manage: ['busy.example'], storage: ['10.0.0.10'] };
    await post('/nodes', { zone: 2, cluster: CLUSTER, hostnames });
    expect(commands()[0]).toMatchObject({ probe: { members: 'running' } });
    await agent.close();
  });

  it('reads the body of a device’s deletion only when there is one', async () => {
    const remove = (body?: string): Promise<Response> =>
      under.fetch(`/devices/${DEVICE_1}`, { method: 'DELETE', ...(body === undefined ? {} : { body }) });
    expect((await remove()).status).toBe(202);
    expect((await remove('{"forceforget":true}')).status).toBe(202);
    expect((await remove('{')).status).toBe(422);
    expect(commands()).toMatchObject([{ forceForget: false }, { forceForget: true }]);
  });

  it('does not send what can be refused here', async () => {
    const state = await post(`/devices/${DEVICE_1}/state`, { state: 'bogus' });
    expect([state.status, await state.text()]).toEqual([400, 'validation failed: state: bogus is not valid state.\n']);
    expect((await post('/nodes/abc/state', { state: 'online' })).status).toBe(404);
    const cluster = await post('/nodes', {
      zone: 1,
      cluster: 'A'.repeat(32),
      hostnames: { manage: ['m'], storage: ['s'] },
    });
    expect([cluster.status, await cluster.text()]).toEqual([404, 'Cluster id does not exist\n']);
    const node = await post('/devices', { name: '/dev/sdb', node: 'A'.repeat(32) });
    expect([node.status, await node.text()]).toEqual([404, 'Node id does not exist\n']);
    expect(heard).toEqual([]);
  });

  it('gives each of many commands at once its own answer', async () => {
    const sizes = Array.from({ length: 200 }, (_, index) => index + 1);
    answer = (envelope) =>
      accepted(envelope).kind === 'accepted' && envelope.command.type === 'CreateVolume'
        ? { kind: 'accepted', position: 9, repeated: false, ids: { operationId: envelope.command.spec.name } }
        : rejected({ kind: 'NoClusters' });
    const responses = await Promise.all(sizes.map((size) => post('/volumes', { size, name: `n${String(size)}` })));
    expect(responses.map(({ headers }) => headers.get('location'))).toEqual(
      sizes.map((size) => `/queue/n${String(size)}`),
    );
  });

  it('repeats a command that the allocator was too busy for, under the same id', async () => {
    let asked = 0;
    answer = (envelope) =>
      (asked += 1) < 3 ? { kind: 'unavailable', reason: 'busy', retryAfterMs: 1 } : accepted(envelope);
    expect((await post('/volumes', { size: 1 })).status).toBe(202);
    expect(new Set(heard.map(({ commandId }) => commandId)).size).toBe(1);
    expect(heard).toHaveLength(3);
  });

  it('shows an operation from its plan to its end, the end once', async () => {
    const operationId = nextOperation();
    const spec = volumeSpec('watched');
    const planned = await under.record(volumePlanned(VOLUME, spec, [brick('9', DEVICE_1, NODE_1)], operationId));
    answer = () => ({ kind: 'accepted', position: planned, repeated: false, ids: { operationId } });
    const location = (await post('/volumes', { size: 10 })).headers.get('location') ?? '';
    const running = await under.fetch(location);
    expect([running.status, running.headers.get('x-pending'), await running.text()]).toEqual([200, 'true', '']);
    expect((await under.fetch(`/volumes/${VOLUME}`)).status).toBe(404);
    const done = await under.record(event('VolumeCreated', { operationId, volumeId: VOLUME }));
    const end = await under.fetch(`${location}?after=${String(done)}`);
    expect([end.status, end.headers.get('location'), end.headers.get('x-pending'), await end.text()]).toEqual([
      303,
      `/volumes/${VOLUME}`,
      null,
      `<a href="/volumes/${VOLUME}">See Other</a>.\n\n`,
    ]);
    const again = await under.fetch(location);
    expect([again.status, await again.text()]).toEqual([404, 'Id not found\n']);
    expect((await under.fetch(`/volumes/${VOLUME}`)).status).toBe(200);
    expect((await under.fetch(`${location}?at=${String(planned)}`)).status).toBe(200);
  });

  it('holds its answer for who prefers to wait, until the operation is over or the time is', async () => {
    const operationId = nextOperation();
    const volumeId = VolumeId.parse(idOf('7'));
    const planned = await under.record(
      volumePlanned(volumeId, volumeSpec('held'), [brick('8', DEVICE_1, NODE_1)], operationId),
    );
    const queue = `/queue/${operationId}?after=${String(planned)}`;
    const held = (prefer: string): Promise<Response> => under.fetch(queue, { headers: { prefer } });
    const gone = new AbortController();
    const left = under.fetch(queue, { headers: { prefer: 'wait=30' }, signal: gone.signal });
    const late = await held('respond-async, wait=1');
    expect([late.status, late.headers.get('x-pending'), late.headers.get('preference-applied')]).toEqual([
      200,
      'true',
      'wait=1',
    ]);
    gone.abort(); // Who went away has not been told, so the end is still to be told.
    await expect(left).rejects.toThrow();
    await under.fetch('/hello');
    const first = held('wait=30');
    await under.record(event('VolumeCreated', { operationId, volumeId }));
    expect([(await first).status, (await first).headers.get('location')]).toEqual([303, `/volumes/${volumeId}`]);
    expect((await held('wait=30')).status).toBe(404);
  });

  it('answers a change with its end for who prefers to wait, and with where to look when the time is over', async () => {
    const prefer = { prefer: 'wait=30' };
    const [made, gone, failed, slow] = [nextOperation(), nextOperation(), nextOperation(), nextOperation()];
    const operations = [made, gone, failed, slow];
    const volumeId = VolumeId.parse(idOf('6'));
    const refusal = { nodeId: NODE_1, detail: 'Cannot move a failed/removed node to online state', cause: '' };
    let asked = 0;
    answer = () => {
      const operationId = operations[asked++];
      return { kind: 'accepted', position: 9, repeated: false, ids: { operationId: String(operationId) } };
    };
    await under.record(volumePlanned(volumeId, volumeSpec('made'), [brick('5', DEVICE_1, NODE_1)], made));
    const making = post('/volumes', { size: 1 }, prefer);
    await allHeard(1);
    const position = await under.record(event('VolumeCreated', { operationId: made, volumeId }));
    const end = await making;
    expect([end.status, end.headers.get('location'), end.headers.get('preference-applied'), await end.text()]).toEqual([
      303,
      `/volumes/${volumeId}`,
      'wait=30',
      '',
    ]);
    expect(Number(end.headers.get('x-brickyard-position'))).toBeGreaterThanOrEqual(position);
    // What is not in the state yet is waited for, too.
    const removing = under.fetch(`/volumes/${volumeId}`, { method: 'DELETE', headers: prefer });
    await allHeard(2);
    await under.record(event('VolumeDeletionPlanned', { operationId: gone, volumeId }));
    await under.record(event('VolumeDeleted', { operationId: gone, volumeId }));
    const removed = await removing;
    expect([removed.status, removed.headers.get('location'), await removed.text()]).toEqual([204, null, '']);
    await under.record(event('NodeStateRefused', { operationId: failed, ...refusal }));
    const refused = await post(`/nodes/${NODE_1}/state`, { state: 'online' }, prefer);
    expect([refused.status, await refused.text(), refused.headers.get('content-type')]).toEqual([
      500,
      `${refusal.detail}\n`,
      'text/plain; charset=utf-8',
    ]);
    const late = await post('/volumes', { size: 1 }, { prefer: 'wait=1' });
    expect([late.status, late.headers.get('location')]).toEqual([202, `/queue/${slow}`]);
  });

  it('tells a failed operation as 500 with its text', async () => {
    const operationId = nextOperation();
    const refusal = {
      operationId,
      nodeId: NODE_1,
      detail: 'Cannot move a failed/removed node to online state',
      cause: '',
    };
    const position = await under.record(event('NodeStateRefused', refusal));
    const response = await under.fetch(`/queue/${operationId}?after=${String(position)}`);
    expect([response.status, await response.text()]).toEqual([500, `${refusal.detail}\n`]);
  });
});

describe('commands without an allocator', () => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    await under.record(...smallCluster());
  });
  afterAll(() => under.stop());

  it('wait for one that comes', async () => {
    const waiting = under.fetch(`/clusters/${CLUSTER}`, { method: 'DELETE' });
    await new Promise((resolve) => setImmediate(resolve));
    const allocator = under.answerCommands(() => rejected({ kind: 'ClusterNotEmpty', clusterId: CLUSTER }));
    expect((await waiting).status).toBe(409);
    await allocator.close();
  });

  it('wait out a restart of NATS, under the same id', async () => {
    const heard = new Set<string>();
    under.killNats();
    const waiting = under.fetch(`/clusters/${CLUSTER}`, { method: 'DELETE' });
    await under.restartNats();
    const allocator = under.answerCommands(({ commandId }) => {
      heard.add(commandId);
      return rejected({ kind: 'ClusterNotEmpty', clusterId: CLUSTER });
    });
    expect((await waiting).status).toBe(409);
    expect(heard.size).toBe(1);
    await allocator.close();
  }, 15_000);

  it('end with 503 that says what is away and when to ask again', async () => {
    const response = await under.fetch(`/clusters/${CLUSTER}`, { method: 'DELETE' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.text()).toMatch(/^Service unavailable: no allocator is leading: /);
  }, 15_000);
});

describe('a limit of operations in flight', () => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    under = await GatewayUnderTest.start({ HEKETI_MAX_INFLIGHT_OPERATIONS: '2' });
    await under.record(...smallCluster());
    under.answerCommands((envelope) => accepted(envelope));
  });
  afterAll(() => under.stop());

  it('refuses what is counted above it with 429, and nothing else', async () => {
    const operationId = nextOperation();
    const planned = await under.record(volumePlanned(VOLUME, volumeSpec('one'), [], operationId));
    const create = async (): Promise<unknown> => {
      const response = await under.fetch('/volumes', { method: 'POST', body: '{"size":1}' });
      return [response.status, await response.text()];
    };
    await under.fetch(`/clusters?after=${String(planned)}`);
    const other = nextOperation();
    const second = await under.record(volumePlanned('b'.repeat(32) as typeof VOLUME, volumeSpec('two'), [], other));
    await under.fetch(`/clusters?after=${String(second)}`);
    expect(await create()).toEqual([429, 'Server busy. Retry operation later.\n']);
    const offline = { method: 'POST', body: '{"state":"offline"}' };
    expect((await under.fetch(`/nodes/${NODE_1}/state`, offline)).status).toBe(202);
    const failed = { method: 'POST', body: '{"state":"failed"}' };
    expect((await under.fetch(`/nodes/${NODE_1}/state`, failed)).status).toBe(429);
    const done = await under.record(event('VolumeCreated', { operationId, volumeId: VOLUME }));
    await under.fetch(`/clusters?after=${String(done)}`);
    expect(await create()).toEqual([202, '']);
  });
});
