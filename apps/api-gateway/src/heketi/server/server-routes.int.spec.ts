import type { ClientCommand, CommandEnvelope, CommandReply } from '@brickyard/contracts';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import {
  brick,
  DEVICE_1,
  event,
  idOf,
  NODE_1,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../../testing/events';
import { GatewayUnderTest } from '../../testing/gateway-under-test';

const Dump = z.looseObject({ volumeentries: z.record(z.string(), z.unknown()) });

describe('the routes of the server itself', () => {
  let under: GatewayUnderTest;
  let heard: ClientCommand[] = [];

  /** Answers as the allocator would, after writing what the command comes to. */
  const answer = async ({ command }: CommandEnvelope): Promise<CommandReply> => {
    heard.push(command);
    const position = await written(command);
    const ids = Object.fromEntries(Object.entries(command).filter(([name]) => name.endsWith('Id')));
    return { kind: 'accepted', position, repeated: false, ids };
  };
  async function written(command: ClientCommand): Promise<number> {
    if (command.type === 'SetAdminMode') return under.record(event('AdminModeSet', { mode: command.mode }));
    if (command.type === 'ChangeNodeTags') {
      return under.record(event('NodeTagsSet', { nodeId: command.nodeId, tags: command.tags }));
    }
    return 9;
  }

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    const operationId = nextOperation();
    await under.record(
      ...smallCluster(),
      volumePlanned(VOLUME, volumeSpec('v'), [brick('9', DEVICE_1, NODE_1)], operationId),
    );
    under.answerCommands(answer);
  });
  afterAll(() => under.stop());
  beforeEach(() => {
    heard = [];
  });

  const post = (path: string, body: unknown): Promise<Response> =>
    under.fetch(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  const told = async (response: Response): Promise<readonly [number, string]> => [
    response.status,
    await response.text(),
  ];

  it('answers a change of tags with all there are now', async () => {
    const response = await post(`/nodes/${NODE_1}/tags`, { change_type: 'set', tags: { b: '2', a: '1' } });
    expect(await told(response)).toEqual([200, '{"a":"1","b":"2"}\n']);
    expect(heard).toEqual([{ type: 'ChangeNodeTags', nodeId: NODE_1, change: 'set', tags: { a: '1', b: '2' } }]);
  });

  it.each([
    [{ tags: {} }, 'change_type: cannot be blank.'],
    [{ change_type: 'odd' }, 'change_type: must be a valid value.'],
    [{ change_type: 'set', tags: { 'a b': '' } }, 'tags: invalid characters in tag name a b.'],
  ])('refuses a change of tags %j', async (body, text) => {
    expect(await told(await post(`/devices/${DEVICE_1}/tags`, body))).toEqual([400, `validation failed: ${text}\n`]);
    expect(heard).toEqual([]);
  });

  it('looks at a device again on a GET, with a link to click on', async () => {
    const response = await under.fetch(`/devices/${DEVICE_1}/resync`);
    const location = response.headers.get('location') ?? '';
    expect(await told(response)).toEqual([202, `<a href="${location}">Accepted</a>.\n\n`]);
    expect(heard).toMatchObject([{ type: 'ResyncDevice', deviceId: DEVICE_1 }]);
  });

  it('does not look again at a device when the past is asked for', async () => {
    const response = await under.fetch(`/devices/${DEVICE_1}/resync?at=1`);
    expect(await told(response)).toEqual([400, expect.stringContaining('query parameter at')]);
    expect(heard).toEqual([]);
  });

  it('counts and lists operations, and tells one by its changes', async () => {
    expect(await told(await under.fetch('/operations'))).toEqual([
      200,
      '{"total":1,"in_flight":1,"stale":0,"failed":0,"new":1}\n',
    ]);
    const list = (await (await under.fetch('/operations/pending')).json()) as { pendingoperations: { id: string }[] };
    expect(list.pendingoperations).toMatchObject([{ type_name: 'create-volume', status: '', sub_status: 'in-flight' }]);
    const id = list.pendingoperations[0]?.id ?? '';
    expect(await (await under.fetch(`/operations/pending/${id}`)).json()).toEqual({
      id,
      type_name: 'create-volume',
      status: '',
      sub_status: '',
      changes: [
        { id: idOf('9'), description: 'Add brick' },
        { id: VOLUME, description: 'Add volume' },
      ],
    });
    expect(await told(await under.fetch('/operations/pending/abc'))).toEqual([404, 'Id not found: abc\n']);
  });

  it('cleans up by id, and refuses what is none', async () => {
    expect((await post('/operations/pending/cleanup', { operations: [NODE_1] })).status).toBe(202);
    expect(heard).toMatchObject([{ type: 'CleanUp', nodeIds: [NODE_1] }]);
    expect(await told(await post('/operations/pending/cleanup', { operations: ['x'] }))).toEqual([
      400,
      'validation failed: operations: x is not a valid UUID.\n',
    ]);
    expect(await told(await post('/operations/pending/cleanup', { operations: Array(33).fill(NODE_1) }))).toEqual([
      400,
      'validation failed: operations: too many ids specified (33), up to 32 supported.\n',
    ]);
    expect((await post('/operations/pending/cleanup', '')).status).toBe(422);
  });

  it('gives its database as a dump, as a check of it, and as a backup', async () => {
    const text = await (await under.fetch('/db/dump')).text();
    expect(text.startsWith('{\n    "clusterentries": {')).toBe(true);
    expect(Object.keys(Dump.parse(JSON.parse(text)).volumeentries)).toEqual([VOLUME]);
    const check = (await (await under.fetch('/db/check')).json()) as { totalinconsistencies: number };
    expect(check).toMatchObject({ totalinconsistencies: 0, volumes: { total: 1, pending: 1, inconsistencies: null } });
    const backup = await under.fetch('/backup/db');
    const bytes = Buffer.from(await backup.arrayBuffer());
    expect(Object.fromEntries(backup.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="heketi.db"',
      'content-length': String(bytes.length),
    });
    expect(JSON.parse(gunzipSync(bytes).toString())).toEqual(JSON.parse(text));
  });

  it('tells its log level and takes another', async () => {
    expect(await told(await under.fetch('/internal/logging'))).toEqual([200, '{"loglevel":{"glusterfs":"none"}}\n']);
    expect(await told(await post('/internal/logging', { loglevel: { glusterfs: 'critical' } }))).toEqual([
      200,
      '{"loglevel":{"glusterfs":"critical"}}\n',
    ]);
    expect(await told(await post('/internal/logging', { loglevel: { glusterfs: 'loud' } }))).toEqual([
      422,
      'invalid log level: loud\n',
    ]);
    expect((await post('/internal/logging', { loglevel: { nginx: 'debug' } })).status).toBe(422);
    expect(await told(await post('/internal/logging', ''))).toEqual([400, 'request unable to be parsed: EOF\n']);
    await post('/internal/logging', { loglevel: { glusterfs: 'none' } });
  });

  it('shows the state beside what hosts say', async () => {
    const examined = (await (await under.fetch('/internal/state/examine/gluster')).json()) as { report: string[] };
    expect(examined.report[0]).toBe('OnDemand Examiner invoked while 1 ops are in flight');
    expect(examined.report).toContain(`unable to fetch data of node ${NODE_1}: nothing heard of node1.example`);
  });

  it('has heketi’s gauges and its own', async () => {
    const response = await under.fetch('/metrics');
    const text = await response.text();
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain('heketi_up 1\n');
    expect(text).toContain(
      `heketi_device_used_bytes{cluster="${idOf('c')}",hostname="node1.example",storage_hostname="10.0.0.1",id="${DEVICE_1}",device="/dev/sdb",pv_uuid="pv-d"} 10791944192\n`,
    );
    expect(text).toContain('heketi_operations_inFlight_count 1\n');
    expect(text).toMatch(/brickyard_state_position\{service="api-gateway"\} \d+/);
  });

  it('has no block volumes yet, checks what is asked of them, and passes it on', async () => {
    expect(await told(await under.fetch('/blockvolumes'))).toEqual([200, '{"blockvolumes":[]}\n']);
    expect((await under.fetch(`/blockvolumes/${VOLUME}`)).status).toBe(404);
    expect(await told(await post('/blockvolumes', { size: 1, hacount: -1 }))).toEqual([
      400,
      'validation failed: hacount: must be no less than 1.\n',
    ]);
    const unguarded = await told(await post('/blockvolumes', { size: 1, auth: true }));
    expect(unguarded).toEqual([500, expect.stringContaining('set BRICKYARD_CHAP_KEYS')]);
    const begun = await post('/blockvolumes', { size: 1 });
    expect([begun.status, begun.headers.get('location')]).toEqual([
      202,
      expect.stringMatching(/^\/queue\/[0-9a-f]{32}$/),
    ]);
    expect((await post(`/blockvolumes/${VOLUME}/expand`, { new_size: 2 })).status).toBe(202);
  });

  it('lets nobody change anything once it is read-only, until a signal', async () => {
    expect(await told(await under.fetch('/admin'))).toEqual([200, '{"state":"normal"}\n']);
    expect((await post('/admin', { state: 'odd' })).status).toBe(400);
    expect(await told(await post('/admin', '{bad'))).toEqual([
      400,
      expect.stringMatching(/^request unable to be parsed: .+\n$/),
    ]);
    expect((await post('/admin', { state: 'local-client' })).status).toBe(204);
    expect((await post('/clusters', {})).status).toBe(201); // We are on the same machine.
    expect((await post('/admin', { state: 'read-only' })).status).toBe(204);
    expect(await told(await post('/admin', { state: 'normal' }))).toEqual([503, 'Service disabled for maintenance\n']);
    expect(await told(await post('/nosuch', {}))).toEqual([503, 'Service disabled for maintenance\n']);
    expect((await under.fetch('/clusters')).status).toBe(200);
    await under.gateway.resetMode();
    await under.fetch('/clusters?after=' + String((await under.fetch('/hello')).headers.get('x-brickyard-position')));
    expect((await post('/clusters', {})).status).toBe(201);
  });
});
