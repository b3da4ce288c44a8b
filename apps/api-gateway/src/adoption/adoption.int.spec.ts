import {
  type ClientCommand,
  type CommandEnvelope,
  type CommandReply,
  factsOf,
  FACTS_WANTED_ALL,
  HostName,
} from '@brickyard/contracts';
import { GatewayUnderTest } from '../testing/gateway-under-test';
import { CLUSTER, event } from '../testing/events';

const HOST = HostName.parse('node1.example');

describe('moving in', () => {
  let under: GatewayUnderTest;
  let heard: ClientCommand[] = [];

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    await under.record(event('ClusterCreated', { clusterId: CLUSTER, flags: { file: true, block: true } }));
    under.answerCommands(({ command }: CommandEnvelope): CommandReply => {
      heard.push(command);
      if (command.type !== 'AdoptNode') return { kind: 'accepted', position: 1, repeated: false, ids: {} };
      return { kind: 'rejected', position: 1, rejection: { kind: 'NotAdoptable', subject: 'node', reason: 'why not' } };
    });
  }, 60_000);
  afterAll(() => under.stop());
  beforeEach(() => {
    heard = [];
  });

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    under.fetch(path, { method: 'POST', body: JSON.stringify(body), headers });
  const cluster = {
    type: 'AdoptCluster',
    origin: 'heketi',
    clusterId: 'b'.repeat(32),
    flags: { file: true, block: true },
  };
  const node = {
    type: 'AdoptNode',
    origin: 'heketi',
    nodeId: 'a'.repeat(32),
    clusterId: 'b'.repeat(32),
    zone: 1,
    hostnames: { manage: [HOST], storage: [HOST] },
    tags: {},
    state: 'online',
  };

  it('makes the API read-only before the first thing is taken over, and tells what was refused', async () => {
    const response = await post('/v1/adoptions', { adopt: [cluster, node] });
    expect([response.status, await response.json()]).toEqual([
      200,
      {
        adopted: 1,
        refused: [{ subject: `node ${node.nodeId} (${HOST})`, reason: 'node cannot be taken over: why not' }],
      },
    ]);
    expect(heard).toEqual([{ type: 'SetAdminMode', mode: 'read-only', adoption: true }, cluster, node]);
  });

  it('goes on, and is confirmed, while nobody else may change anything', async () => {
    const position = await under.record(event('AdminModeSet', { mode: 'read-only' }));
    await under.fetch(`/clusters?after=${String(position)}`);
    expect((await post('/clusters', {})).status).toBe(503);
    expect((await post('/v1/adoptions', { adopt: [cluster] })).status).toBe(200);
    heard = [];
    expect((await post('/v1/adoptions/confirm', {})).status).toBe(204);
    expect(heard).toEqual([{ type: 'SetAdminMode', mode: 'normal', adoption: true }]);
    await under.fetch(`/clusters?after=${String(await under.record(event('AdminModeSet', { mode: 'normal' })))}`);
  });

  it('refuses what it does not understand, and changes nothing', async () => {
    for (const [body, status] of [
      [{ adopt: [{ type: 'AdoptMoon' }] }, 400],
      [{}, 400],
    ] as const) {
      expect((await post('/v1/adoptions', body)).status).toBe(status);
    }
    expect((await under.fetch('/v1/adoptions', { method: 'POST', body: '{' })).status).toBe(422);
    expect((await post('/v1/adoptions', { adopt: [cluster] }, { 'idempotency-key': 'k' })).status).toBe(400);
    expect((await post('/v1/adoptions', { adopt: [] })).status).toBe(200);
    expect(heard).toEqual([]);
  });

  it('shows hosts that the log does not know, in as many messages as they need', async () => {
    const look = {
      host: HOST,
      incarnation: 'i',
      observedAt: '2026-01-01T00:00:00.000Z',
      glusterd: 'running',
      simulated: true,
      devices: [],
      peers: [],
    };
    const brick = (path: string): object => ({ path, mounted: true });
    const volume = {
      name: 'byhand',
      uuid: '01234567-89ab-4cde-8f01-23456789abcd',
      status: 'started',
      bricks: [`${HOST}:/data/brick`],
      options: {},
      idle: [],
      found: {
        shape: { type: 'Distribute', replica: 1, arbiter: 0, disperse: 0, redundancy: 0 },
        hostUuids: ['u'],
        grounds: [{ hostUuid: 'u', path: '/data/brick', mount: '/data', source: '/dev/sdb', sizeKib: 1 }],
      },
    };
    const agent = under.bus.subscribe(FACTS_WANTED_ALL, (_, subject) => {
      if (subject.replace('.wanted', '') !== factsOf(HOST)) return;
      under.bus.publish(factsOf(HOST), { ...look, part: 1, parts: 2, volumes: [], bricks: [brick('/two')] });
      under.bus.publish(factsOf(HOST), { ...look, part: 0, parts: 2, volumes: [volume], bricks: [brick('/one')] });
    });
    await under.bus.published(); // The gateway asks over a connection of its own.
    const response = await under.fetch(`/v1/hosts?name=${HOST}`);
    await agent.close();
    const { hosts, silent } = (await response.json()) as {
      hosts: { bricks: { path: string }[]; volumes: unknown[] }[];
      silent: string[];
    };
    expect([hosts.length, silent]).toEqual([1, []]);
    expect(hosts[0]?.bricks.map(({ path }) => path).sort()).toEqual(['/one', '/two']);
    expect(hosts[0]?.volumes).toEqual([volume]);
    expect((await under.fetch('/v1/hosts')).status).toBe(400);
    expect((await under.fetch('/v1/hosts?name=a%20b')).status).toBe(400);
  });
});
