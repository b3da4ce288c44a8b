/** O: operations. M: the server itself. */
import assert from 'node:assert/strict';
import { expectDone, expectText, makeVolume, replica, type Row, withSite } from '../row';

const DUMP_KEYS = [
  'clusterentries',
  'volumeentries',
  'brickentries',
  'nodeentries',
  'deviceentries',
  'blockvolumeentries',
  'dbattributeentries',
  'pendingoperations',
];

export const operationRows = (): readonly Row[] => [
  {
    id: 'O01',
    title: 'operations are counted',
    run: async ({ server }) => {
      const counts = await server.read('/operations');
      assert.deepEqual(counts.names, ['total', 'in_flight', 'stale', 'failed', 'new']);
      const [total, stale, failed, fresh] = ['total', 'stale', 'failed', 'new'].map((name) => counts.number(name));
      assert.equal(total, (stale ?? 0) + (failed ?? 0) + (fresh ?? 0));
    },
  },
  {
    id: 'O02',
    title: 'an operation under way is listed with what it changes',
    needs: 'control',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server, control }, { cluster }) => {
      await control?.hold('CreateBrick');
      const begun = await server.post('/volumes', { size: 1, clusters: [cluster], ...replica(2) });
      const [one, ...others] = (await server.read('/operations/pending')).list('pendingoperations');
      assert.equal(others.length, 0);
      assert.deepEqual(
        [one?.text('type_name'), one?.text('status'), one?.text('sub_status')],
        ['create-volume', '', 'in-flight'],
      );
      const details = await server.read(`/operations/pending/${one?.text('id') ?? ''}`);
      const told = details
        .list('changes')
        .map((change) => change.text('description'))
        .sort();
      assert.deepEqual(told, ['Add brick', 'Add brick', 'Add volume']);
      await control?.release();
      await server.end(begun.headers['location'] ?? '');
    }),
  },
  {
    id: 'O04',
    title: 'cleaning up is done, whatever there is to clean up',
    run: async ({ server }) => {
      const path = '/operations/pending/cleanup';
      expectText(await server.work('POST', path, {}), 204, '');
      expectText(await server.work('POST', path, { operations: ['ab'.repeat(16)] }), 204, '');
      expectText(
        await server.post(path, { operations: ['x'] }),
        400,
        'validation failed: operations: x is not a valid UUID.',
      );
      const many = Array<string>(33).fill('ab'.repeat(16));
      const text = 'validation failed: operations: too many ids specified (33), up to 32 supported.';
      expectText(await server.post(path, { operations: many }), 400, text);
    },
  },
  {
    id: 'O05',
    title: 'an unknown operation is told by its id',
    run: async ({ server }) => {
      expectText(await server.get('/operations/pending/abc'), 404, 'Id not found: abc');
    },
  },
  {
    id: 'V23',
    title: 'what could not be undone is listed as failed, until it is cleaned up',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster }) => {
      const before = (await server.read('/operations')).number('failed');
      await control?.fail('DeleteBrick');
      const volume = await makeVolume(server, cluster, { size: 1 });
      await expectDone(server, 'DELETE', `/volumes/${volume.text('id')}`);
      assert.equal((await server.read('/operations')).number('failed'), before + 1);
      await control?.release();
      await expectDone(server, 'POST', '/operations/pending/cleanup', {});
      assert.equal((await server.read('/operations')).number('failed'), before);
    }),
  },
];

export const serverRows = (): readonly Row[] => [
  {
    id: 'M01',
    title: 'a read-only server is left by a signal only',
    needs: 'control',
    run: async ({ server, control }) => {
      expectText(await server.get('/admin'), 200, '{"state":"normal"}');
      expectText(
        await server.post('/admin', { state: 'odd' }),
        400,
        'validation failed: state: must be a valid value.',
      );
      expectText(await server.post('/admin', {}), 400, 'validation failed: state: cannot be blank.');
      expectText(await server.post('/admin', { state: 'read-only' }), 204, '');
      try {
        expectText(await server.post('/clusters', {}), 503, 'Service disabled for maintenance');
        expectText(await server.post('/admin', { state: 'normal' }), 503, 'Service disabled for maintenance');
        assert.equal((await server.get('/clusters')).status, 200);
      } finally {
        await control?.reopen();
      }
      assert.equal((await server.post('/clusters', {})).status, 201);
    },
  },
  {
    id: 'M02',
    title: 'a server for local clients lets them in',
    needs: 'control',
    run: async ({ server }) => {
      expectText(await server.post('/admin', { state: 'local-client' }), 204, '');
      const made = await server.post('/clusters', {});
      assert.equal(made.status, 201);
      await server.ask('DELETE', `/clusters/${(JSON.parse(made.text) as { id: string }).id}`);
      expectText(await server.post('/admin', { state: 'normal' }), 204, '');
    },
  },
  {
    id: 'M03',
    title: 'the log level',
    run: async ({ server }) => {
      const path = '/internal/logging';
      const before = (await server.read(path)).at('loglevel').text('glusterfs');
      const set = (level: string) => server.post(path, { loglevel: { glusterfs: level } });
      expectText(await set('debug'), 200, '{"loglevel":{"glusterfs":"debug"}}');
      expectText(await set(''), 200, '{"loglevel":{"glusterfs":"debug"}}');
      expectText(await set('loud'), 422, 'invalid log level: loud');
      expectText(
        await server.post(path, { loglevel: { other: 'debug' } }),
        422,
        'Only "glusterfs" logger may be modified',
      );
      expectText(await set(before), 200, `{"loglevel":{"glusterfs":"${before}"}}`);
    },
  },
  {
    id: 'M04',
    title: 'the database as text, and nothing wrong with it',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      const { text } = await server.get('/db/dump');
      assert.ok(text.startsWith('{\n    "'));
      const dump = await server.read('/db/dump');
      assert.deepEqual([...dump.names].sort(), [...DUMP_KEYS].sort());
      assert.equal(dump.at('clusterentries').at(cluster).at('Info').text('id'), cluster);
      assert.equal((await server.read('/db/check')).number('totalinconsistencies'), 0);
    },
  },
  {
    id: 'M05',
    title: 'the database as a backup',
    run: async ({ server }) => {
      const { status, headers } = await server.get('/backup/db');
      assert.equal(status, 200);
      assert.equal(headers['content-type'], 'application/octet-stream');
      assert.equal(headers['content-disposition'], 'attachment; filename="heketi.db"');
      assert.ok(Number(headers['content-length']) > 0);
    },
  },
  {
    id: 'M06',
    title: 'heketi’s gauges, with its labels and units',
    run: async ({ server, shared }) => {
      const { cluster, nodes } = await shared();
      const { text } = await server.ask('GET', '/metrics', { authorization: null });
      const host = nodes[0]?.host ?? '';
      const labels = `cluster="${cluster}",hostname="${host}",storage_hostname="${host}"`;
      const lines = text.split('\n');
      assert.ok(lines.includes(`heketi_nodes_count{cluster="${cluster}"} 4`));
      assert.ok(lines.includes(`heketi_device_count{${labels}} 2`));
      for (const [name, value] of [
        ['size', 524_288_000],
        ['size_bytes', 536_870_912_000],
      ] as const) {
        const start = `heketi_device_${name}{${labels},id="${nodes[0]?.devices[0] ?? ''}",device="${nodes[0]?.names[0] ?? ''}"`;
        assert.ok(
          lines.some((line) => line.startsWith(start) && line.endsWith(` ${String(value)}`)),
          name,
        );
      }
      for (const name of ['stale', 'failed', 'new', 'total', 'inFlight']) {
        assert.match(text, new RegExp(`^heketi_operations_${name}_count \\d+$`, 'm'));
      }
    },
  },
];
