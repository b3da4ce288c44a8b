/** B: block volumes, on a server that makes the volumes to hold them by itself. */
import assert from 'node:assert/strict';
import type { HeketiServer, Json } from '../heketi-server';
import { newName } from '../names';
import { expectDone, expectText, makeSite, makeVolume, removeSite, replica, type Row, withSite } from '../row';

const BLOCK_FIELDS = ['size', 'name', 'hacount', 'id', 'blockvolume', 'cluster', 'blockhostingvolume', 'usablesize'];

const makeBlock = (server: HeketiServer, cluster: string, body: object): Promise<Json> =>
  server.make('/blockvolumes', { clusters: [cluster], ...body });

const hostingOf = (server: HeketiServer, block: Json): Promise<Json> =>
  server.read(`/volumes/${block.text('blockhostingvolume')}`);

const hosting = (server: HeketiServer, cluster: string, size: number): Promise<Json> =>
  makeVolume(server, cluster, { size, block: true, ...replica(3) });

const restrict = (server: HeketiServer, volume: Json, restriction: string): Promise<Json> =>
  server.make(`/volumes/${volume.text('id')}/block-restriction`, { restriction });

export const blockRows = (): readonly Row[] => [
  {
    id: 'B01b',
    title: 'block volumes are listed, and checked before they are made',
    run: async ({ server, shared }) => {
      await shared();
      assert.ok(Array.isArray((await server.read('/blockvolumes')).at('blockvolumes').value));
      expectText(await server.get('/blockvolumes/ab'), 404, 'Id not found');
      expectText(await server.ask('DELETE', '/blockvolumes/ab'), 404, 'Id not found');
      const bad = await server.post('/blockvolumes', { size: 1, hacount: -1 });
      expectText(bad, 400, 'validation failed: hacount: must be no less than 1.');
      expectText(await server.post('/blockvolumes', {}), 400, 'validation failed: size: cannot be blank.');
      expectText(await server.post('/blockvolumes', { size: 1, clusters: ['x'] }), 400, 'Cluster id x not found');
      expectText(await server.post('/blockvolumes/ab/expand', { new_size: 1 }), 404, 'Id not found');
    },
  },
  {
    id: 'B01',
    title: 'a hosting volume is made for the first block volume, and gives it room',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const block = await makeBlock(server, cluster, { size: 10 });
      assert.deepEqual(block.names, BLOCK_FIELDS);
      const id = block.text('id');
      assert.equal(block.text('name'), `blockvol_${id}`);
      assert.deepEqual([block.number('size'), block.number('usablesize')], [10, 10]);
      assert.match(block.at('blockvolume').text('iqn'), /^iqn\.\d{4}-\d\d\..+/);
      const held = await hostingOf(server, block);
      assert.equal(held.text('block'), 'true');
      assert.equal(held.at('durability').at('replicate').number('replica'), 3);
      const info = held.at('blockinfo');
      assert.deepEqual(info.texts('blockvolume'), [id]);
      const size = held.number('size');
      assert.equal(info.number('freesize'), Math.floor((size * 98) / 100) - 10);
      assert.equal(info.number('reservedsize'), size - Math.floor((size * 98) / 100));
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('blockvolumes'), [id]);
      assert.ok((await server.read('/blockvolumes')).texts('blockvolumes').includes(id));
      await expectDone(server, 'DELETE', `/blockvolumes/${id}`);
      expectText(await server.get(`/blockvolumes/${id}`), 404, 'Id not found');
      expectText(await server.ask('DELETE', `/blockvolumes/${id}`), 404, 'Id not found');
      const after = (await hostingOf(server, block)).at('blockinfo');
      assert.deepEqual(after.names, ['freesize', 'reservedsize']);
      assert.equal(after.number('freesize'), Math.floor((size * 98) / 100));
    }),
  },
  {
    id: 'B02',
    title: 'a block volume larger than a hosting volume would be is refused with the numbers',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const answer = await server.post('/blockvolumes', { size: 100_000, clusters: [cluster] });
      const text =
        /^Failed to allocate new block volume: The size configured for automatic creation of block hosting volumes \((\d+)\) is too small to host the requested block volume of size 100000\. The available size on this block hosting volume, minus overhead, is (\d+)\. Please create a sufficiently large block hosting volume manually\.\n?$/;
      expectText(answer, 500, text);
      const [, size = '', available = ''] = text.exec(answer.text) ?? [];
      assert.equal(Number(available), Math.floor((Number(size) * 98) / 100));
    }),
  },
  {
    id: 'B04',
    title: 'while a hosting volume is made, a block volume that needs one has to wait',
    needs: 'control',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server, control }, { cluster }) => {
      await control?.hold('CreateBrick');
      const begun = await server.post('/blockvolumes', { size: 1, clusters: [cluster] });
      assert.equal(begun.status, 202, begun.text);
      const busy = await server.post('/blockvolumes', { size: 1, clusters: [cluster] });
      expectText(busy, 429, 'Server busy. Retry operation later.');
      const [one] = (await server.read('/operations/pending')).list('pendingoperations');
      assert.equal(one?.text('type_name'), 'create-block-volume');
      const details = await server.read(`/operations/pending/${one.text('id')}`);
      assert.deepEqual(
        details.list('changes').map((change) => change.text('description')),
        ['Add block volume', 'Add brick', 'Add brick', 'Add brick', 'Add volume'],
      );
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('volumes'), []);
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('blockvolumes'), []);
      assert.equal((await server.read('/db/check')).number('totalinconsistencies'), 0);
      await control?.release();
      assert.equal((await server.end(begun.headers['location'] ?? '')).status, 303);
    }),
  },
  {
    id: 'B04b',
    title: 'a hosting volume goes with the block volume that it could not be made for',
    needs: 'control',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server, control }, { cluster }) => {
      await control?.fail('ExportBlockVolume');
      const answer = await server.work('POST', '/blockvolumes', { size: 1, clusters: [cluster] });
      expectText(answer, 500, 'planned by the test');
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('volumes'), []);
      assert.equal((await server.read('/operations')).number('total'), 0);
      await control?.release();
    }),
  },
  {
    id: 'B05',
    title: 'so many hosts as asked for offer it, all when more are asked for or none',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster, nodes }) => {
      const all = nodes.map(({ host }) => host).sort();
      for (const [hacount, count] of [
        [2, 2],
        [9, 3],
        [0, 3],
        [1, 1],
      ] as const) {
        const block = await makeBlock(server, cluster, { size: 1, hacount });
        const hosts = block.at('blockvolume').texts('hosts');
        assert.equal(hosts.length, count);
        assert.equal(block.number('hacount'), count);
        assert.ok(hosts.every((host) => all.includes(host)));
      }
    }),
  },
  {
    id: 'B06',
    title: 'user name and password are there only when they are asked for',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const open = (await makeBlock(server, cluster, { size: 1 })).at('blockvolume');
      assert.deepEqual([open.text('username'), open.text('password')], ['', '']);
      const block = await makeBlock(server, cluster, { size: 1, auth: true });
      const guarded = block.at('blockvolume');
      assert.notEqual(guarded.text('username'), '');
      assert.ok(guarded.text('password').length >= 12);
      assert.deepEqual((await server.read(`/blockvolumes/${block.text('id')}`)).value, block.value);
    }),
  },
  {
    id: 'B07',
    title: 'a block volume grows to a size, not by one',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const block = await makeBlock(server, cluster, { size: 5 });
      const path = `/blockvolumes/${block.text('id')}/expand`;
      const before = (await hostingOf(server, block)).at('blockinfo').number('freesize');
      const grown = await server.make(path, { new_size: 8 });
      assert.deepEqual([grown.number('size'), grown.number('usablesize')], [8, 8]);
      assert.equal((await hostingOf(server, block)).at('blockinfo').number('freesize'), before - 3);
      const failed = 'Failed to allocate block volume expansion: ';
      for (const [size, text] of [
        [8, 'Requested new-size 8 is same as current block volume size 8, nothing to be done.'],
        [7, 'Requested new-size 7 is less than current block volume size 8, shrinking is not allowed.'],
        [100_000, 'No space'],
      ] as const) {
        expectText(await server.post(path, { new_size: size }), 500, failed + text);
      }
      expectText(await server.post(path, {}), 400, 'validation failed: new_size: cannot be blank.');
    }),
  },
  {
    id: 'B08',
    title: 'a hosting volume stays while it holds a block volume',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const block = await makeBlock(server, cluster, { size: 1 });
      const path = `/volumes/${block.text('blockhostingvolume')}`;
      const text = 'Cannot delete a block hosting volume containing block volumes';
      expectText(await server.ask('DELETE', path), 409, text);
      await expectDone(server, 'DELETE', `/blockvolumes/${block.text('id')}`);
      await expectDone(server, 'DELETE', path);
    }),
  },
  {
    id: 'B09',
    title: 'a locked hosting volume takes no more, and lets what it holds grow and go',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const first = await hosting(server, cluster, 20);
      const held = await makeBlock(server, cluster, { size: 1 });
      assert.equal(held.text('blockhostingvolume'), first.text('id'));
      await restrict(server, first, 'locked');
      const second = await hosting(server, cluster, 20);
      const elsewhere = await makeBlock(server, cluster, { size: 1 });
      assert.equal(elsewhere.text('blockhostingvolume'), second.text('id'));
      assert.equal((await server.make(`/blockvolumes/${held.text('id')}/expand`, { new_size: 2 })).number('size'), 2);
      await expectDone(server, 'DELETE', `/blockvolumes/${held.text('id')}`);
      await restrict(server, second, 'locked');
      await restrict(server, first, '');
      const back = await makeBlock(server, cluster, { size: 1 });
      assert.equal(back.text('blockhostingvolume'), first.text('id'));
      const file = await makeVolume(server, cluster, { size: 1 });
      const text = 'Failed to set block restriction: Block restrictions can only be set on block hosting volumes';
      expectText(
        await server.post(`/volumes/${file.text('id')}/block-restriction`, { restriction: 'locked' }),
        500,
        text,
      );
    }),
  },
  {
    id: 'B10',
    title: 'a second block volume of one name gets another hosting volume',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, { cluster }) => {
      const name = newName('disk');
      const one = await makeBlock(server, cluster, { size: 1, name });
      const other = await makeBlock(server, cluster, { size: 1, name });
      assert.deepEqual([one.text('name'), other.text('name')], [name, name]);
      assert.notEqual(one.text('blockhostingvolume'), other.text('blockhostingvolume'));
    }),
  },
  {
    id: 'B01c',
    title: 'a cluster without the flag takes no block volume',
    run: async ({ server }) => {
      const site = await makeSite(server, { zones: [1, 2, 3], devices: 1, block: false });
      const answer = await server.post('/blockvolumes', { size: 1, clusters: [site.cluster] });
      const reason = 'Cluster does not support requested volume type';
      expectText(answer, 500, `Failed to allocate new block volume: ${reason}`);
      await removeSite(server, site);
    },
  },
];
