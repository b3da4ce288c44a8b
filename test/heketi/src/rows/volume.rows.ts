/** V: volumes. */
import assert from 'node:assert/strict';
import { NotPossibleHere } from '../hosts';
import { newName } from '../names';
import {
  disperse,
  expectDone,
  expectNoVolume,
  expectText,
  makeCluster,
  makeVolume,
  NO_SPACE,
  option,
  replica,
  type Row,
  usedKib,
  withSite,
} from '../row';

export const volumeRows = (): readonly Row[] => [
  {
    id: 'V21',
    title: 'a clone is a volume like its origin that takes no room',
    run: withSite({ zones: [1, 2, 3] }, async ({ server }, site) => {
      const origin = await makeVolume(server, site.cluster, { size: 4, ...replica(3), gid: 2001 });
      const used = await usedKib(server, site);
      const path = `/volumes/${origin.text('id')}/clone`;
      const name = newName('clone');
      const begun = await server.post(path, { name });
      if (begun.text.includes('snapshots need thin LVM volumes')) {
        assert.deepEqual([begun.status, await usedKib(server, site)], [500, used]);
        throw new NotPossibleHere(
          'the bricks of these hosts cannot be cloned, which was told before anything was touched',
        );
      }
      const end = await server.end(begun.headers['location'] ?? '');
      const clone = await server.read(end.headers['location'] ?? '');
      assert.notEqual(clone.text('id'), origin.text('id'));
      assert.deepEqual(
        [clone.text('name'), clone.number('size'), clone.number('gid'), clone.text('cluster')],
        [name, 4, 2001, site.cluster],
      );
      assert.deepEqual(clone.at('durability').value, origin.at('durability').value);
      const devices = (of: typeof clone): string[] =>
        of
          .list('bricks')
          .map((one) => one.text('device'))
          .sort();
      assert.deepEqual(devices(clone), devices(origin));
      assert.deepEqual(await usedKib(server, site), used);
      assert.match((await server.make(path, {})).text('name'), /^vol_[0-9a-f]{32}$/);
      expectText(
        await server.post(path, { name: 'bad name' }),
        400,
        /^validation failed: name: must be in a valid format/,
      );
      expectText(await server.post('/volumes/abc/clone', {}), 404, 'Id not found');
      const hosting = await makeVolume(server, site.cluster, { size: 10, block: true });
      expectText(
        await server.post(`/volumes/${hosting.text('id')}/clone`, {}),
        500,
        `Failed clone volume ${hosting.text('id')}: Cloning of block hosting volumes is not supported`,
      );
      await expectDone(server, 'DELETE', `/volumes/${origin.text('id')}`);
      assert.deepEqual(devices(await server.read(`/volumes/${clone.text('id')}`)), devices(clone));
    }),
  },
  {
    id: 'V01',
    title: 'a size is enough',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, site) => {
      const volume = await makeVolume(server, site.cluster, { size: 1 });
      assert.equal(volume.at('durability').text('type'), 'none');
      assert.deepEqual(
        volume.list('bricks').map((one) => one.number('size')),
        [1_048_576],
      );
      assert.deepEqual(await usedKib(server, site), [1_056_768]);
    }),
  },
  {
    id: 'V02',
    title: 'two replicas when nobody says how many, and that is told',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster }) => {
      const volume = await makeVolume(server, cluster, { size: 1, durability: { type: 'replicate' } });
      assert.equal(volume.list('bricks').length, 2);
      assert.deepEqual(volume.at('durability').value, { type: 'replicate', replicate: { replica: 2 }, disperse: {} });
    }),
  },
  {
    id: 'V03',
    title: 'replicas have limits',
    run: async ({ server, shared }) => {
      await shared();
      for (const count of [4, -1])
        await expectNoVolume(server, { size: 1, ...replica(count) }, 400, 'Invalid replica value');
      await expectNoVolume(server, { size: 1, durability: { type: 'odd' } }, 400, 'Unknown durability type');
    },
  },
  {
    id: 'V04',
    title: 'four shapes of erasure coding',
    run: withSite(
      { zones: Array.from({ length: 12 }, (_, index) => index + 1), devices: 1 },
      async ({ server }, { cluster }) => {
        for (const [data, redundancy] of [
          [2, 1],
          [4, 2],
          [8, 3],
          [8, 4],
        ] as const) {
          const volume = await makeVolume(server, cluster, { size: 8, ...disperse(data, redundancy) });
          const bricks = volume.list('bricks');
          assert.equal(bricks.length, data + redundancy);
          assert.equal(new Set(bricks.map((one) => one.text('node'))).size, data + redundancy);
          assert.equal(bricks[0]?.number('size'), (8 * 1_048_576) / data);
        }
        for (const [data, redundancy] of [
          [3, 1],
          [4, 1],
          [0, 0],
        ] as const) {
          const text = `Invalid dispersion combination: ${String(data)}+${String(redundancy)}`;
          await expectNoVolume(server, { size: 8, ...disperse(data, redundancy) }, 400, text);
        }
      },
    ),
  },
  {
    id: 'V05',
    title: 'a volume is large enough for its bricks',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      for (const size of [1, 2, 3]) {
        const text = `Requested volume size (${String(size)} GB) is smaller than the minimum supported volume size (4194304)`;
        await expectNoVolume(server, { size, clusters: [cluster], ...disperse(4, 2) }, 400, text);
      }
      await expectNoVolume(server, {}, 400, 'validation failed: size: cannot be blank.');
      await expectNoVolume(server, { size: -1 }, 400, 'validation failed: size: must be no less than 1.');
    },
  },
  {
    id: 'V06',
    also: ['V24'],
    title: 'room for snapshots is between 1 and 100, and counts only when asked for',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, site) => {
      const { cluster } = site;
      for (const snapshot of [{ enable: true, factor: 0.5 }, { enable: true, factor: 101 }, { enable: true }]) {
        await expectNoVolume(server, { size: 1, clusters: [cluster], snapshot }, 400, 'Invalid snapshot factor');
      }
      const kubernetes = await makeVolume(server, cluster, { size: 1, snapshot: { enable: true, factor: 1 } });
      assert.deepEqual(kubernetes.at('snapshot').value, { enable: true, factor: 1 });
      assert.deepEqual(await usedKib(server, site), [1_056_768]);
      const off = await makeVolume(server, cluster, { size: 1, snapshot: { enable: false, factor: 50 } });
      assert.deepEqual(off.at('snapshot').value, { enable: false, factor: 1 });
      await makeVolume(server, cluster, { size: 1, snapshot: { enable: true, factor: 100 } });
    }),
  },
  {
    id: 'V07',
    title: 'a group id is not negative and below 2147483647',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      await expectNoVolume(server, { size: 1, gid: -1 }, 400, 'Bad group id less than zero');
      const text = 'Bad group id equal or greater than 2**32';
      await expectNoVolume(server, { size: 1, gid: 2_147_483_647 }, 400, text);
      const volume = await makeVolume(server, cluster, { size: 1, gid: 2_147_483_646 });
      assert.equal(volume.number('gid'), 2_147_483_646);
    }),
  },
  {
    id: 'V08',
    title: 'a name has a pattern, and a default',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      await expectNoVolume(
        server,
        { size: 1, name: 'bad name' },
        400,
        'validation failed: name: must be in a valid format.',
      );
      const volume = await makeVolume(server, cluster, { size: 1 });
      assert.equal(volume.text('name'), `vol_${volume.text('id')}`);
    }),
  },
  {
    id: 'V09',
    title: 'a name is used once in a cluster',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      const name = newName('v');
      await makeVolume(server, cluster, { size: 1, name });
      const text = `Failed to allocate new volume: Volume name '${name}' already in use`;
      await expectNoVolume(server, { size: 1, name, clusters: [cluster] }, 500, text);
    }),
  },
  {
    id: 'V10',
    title: 'clusters are known',
    run: async ({ server, shared }) => {
      await shared();
      await expectNoVolume(server, { size: 1, clusters: ['x'] }, 400, 'Cluster id x not found');
    },
  },
  {
    id: 'V12',
    title: 'lack of space is told at once',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      await expectNoVolume(server, { size: 5_000, clusters: [cluster] }, 500, NO_SPACE);
    }),
  },
  {
    id: 'V13',
    title: 'each cluster that was tried is told of',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      const empty = await makeCluster(server);
      const answer = await server.post('/volumes', { size: 5_000, clusters: [empty, cluster] });
      assert.equal(answer.status, 500);
      const [title, ...lines] = answer.text.trim().split('\n');
      assert.equal(title, 'Failed to allocate new volume: Unable to create volume on any cluster:');
      assert.deepEqual(lines.sort(), [`Cluster ${empty}: No nodes in cluster`, `Cluster ${cluster}: No space`].sort());
      await server.ask('DELETE', `/clusters/${empty}`);
    }),
  },
  {
    id: 'V14',
    title: 'flags keep volumes out',
    run: async ({ server }) => {
      for (const [flags, text] of [
        [{ file: false, block: true }, 'Cluster does not support requested volume type'],
        [{ file: false, block: false }, 'Cluster has disabled all volume types'],
      ] as const) {
        const cluster = await makeCluster(server, flags);
        await expectNoVolume(server, { size: 1, clusters: [cluster] }, 500, `Failed to allocate new volume: ${text}`);
        await server.ask('DELETE', `/clusters/${cluster}`);
      }
    },
  },
  {
    id: 'V15',
    title: 'a volume has heketi’s fields in heketi’s order',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster, nodes }) => {
      const volume = await makeVolume(server, cluster, {
        size: 2,
        gid: 2_000,
        ...replica(2),
        ...option('user.note', '<b>'),
      });
      assert.deepEqual(volume.names, [
        'size',
        'name',
        'durability',
        'gid',
        'glustervolumeoptions',
        'snapshot',
        'id',
        'cluster',
        'mount',
        'blockinfo',
        'bricks',
      ]);
      assert.deepEqual(volume.at('durability').names, ['type', 'replicate', 'disperse']);
      assert.deepEqual(volume.texts('glustervolumeoptions'), ['', 'user.note <b>', '']);
      assert.deepEqual(volume.at('blockinfo').value, {});
      const mount = volume.at('mount').at('glusterfs');
      const hosts = [...nodes].sort((one, other) => (one.id < other.id ? -1 : 1)).map(({ host }) => host);
      assert.deepEqual(mount.texts('hosts'), hosts);
      assert.equal(mount.text('device'), `${hosts[0] ?? ''}:${volume.text('name')}`);
      assert.deepEqual(mount.at('options').value, { 'backup-volfile-servers': hosts[1] });
      assert.deepEqual(volume.list('bricks')[0]?.names, ['id', 'path', 'device', 'node', 'volume', 'size']);
      const ids = volume.list('bricks').map((one) => one.text('id'));
      assert.deepEqual(ids, [...ids].sort());
      assert.match((await server.get(`/volumes/${volume.text('id')}`)).text, /user.note \\u003cb\\u003e/);
    }),
  },
  {
    id: 'V16',
    title: 'a volume that is being made is seen by nobody, and has its name',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster }) => {
      await control?.hold('CreateBrick');
      const name = newName('v');
      const begun = await server.post('/volumes', { size: 1, name, clusters: [cluster] });
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('volumes'), []);
      const text = `Failed to allocate new volume: Volume name '${name}' already in use`;
      await expectNoVolume(server, { size: 1, name, clusters: [cluster] }, 500, text);
      const [pending] = (await server.read('/operations/pending')).list('pendingoperations');
      const details = await server.read(`/operations/pending/${pending?.text('id') ?? ''}`);
      const volume =
        details
          .list('changes')
          .find((one) => one.text('description') === 'Add volume')
          ?.text('id') ?? '';
      expectText(await server.get(`/volumes/${volume}`), 404, 'Id not found');
      assert.ok(!(await server.read('/volumes')).texts('volumes').includes(volume));
      const busy = 'Failed to set up volume delete: The target exists, contains other items, or is in use.';
      expectText(await server.ask('DELETE', `/volumes/${volume}`), 500, busy);
      await control?.release();
      assert.equal((await server.end(begun.headers['location'] ?? '')).status, 303);
      assert.equal((await server.get(`/volumes/${volume}`)).status, 200);
    }),
  },
  {
    id: 'V17',
    title: 'a deleted volume gives everything back',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, site) => {
      const volume = await makeVolume(server, site.cluster, { size: 10 });
      await expectDone(server, 'DELETE', `/volumes/${volume.text('id')}`);
      expectText(await server.ask('DELETE', `/volumes/${volume.text('id')}`), 404, 'Id not found');
      assert.deepEqual(await usedKib(server, site), [0]);
    }),
  },
  {
    id: 'V19',
    title: 'a volume grows by what is added, in new sets',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster }) => {
      const volume = await makeVolume(server, cluster, { size: 10, ...replica(2) });
      const grown = await server.make(`/volumes/${volume.text('id')}/expand`, { expand_size: 5 });
      assert.equal(grown.number('size'), 15);
      assert.equal(grown.list('bricks').length, 4);
      assert.deepEqual(
        grown
          .list('bricks')
          .map((one) => one.number('size'))
          .sort(),
        [10_485_760, 10_485_760, 5_242_880, 5_242_880],
      );
    }),
  },
  {
    id: 'V20',
    title: 'why a volume does not grow',
    run: withSite({ zones: [1, 2, 3, 4, 5, 6], devices: 1 }, async ({ server }, { cluster }) => {
      const path = `/volumes/${(await makeVolume(server, cluster, { size: 4, ...disperse(4, 2) })).text('id')}/expand`;
      const small = 'Failed to allocate volume expansion: Minimum brick size limit reached.  Out of space.';
      expectText(await server.post(path, { expand_size: 1 }), 500, small);
      expectText(
        await server.post(path, { expand_size: 100_000 }),
        500,
        'Failed to allocate volume expansion: Maximum number of bricks reached.',
      );
      expectText(await server.post(path, { expand_size: 0 }), 400, 'validation failed: expand_size: cannot be blank.');
      expectText(
        await server.post(path, { expand_size: -1 }),
        400,
        'validation failed: expand_size: must be no less than 1.',
      );
      expectText(await server.post('/volumes/ab/expand', { expand_size: 1 }), 404, 'Id not found');
    }),
  },
  {
    id: 'V18',
    leaves: true,
    title: 'the volume of the database stays',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      const volume = (await makeVolume(server, cluster, { size: 1, name: 'heketidbstorage' })).text('id');
      expectText(
        await server.ask('DELETE', `/volumes/${volume}`),
        409,
        'Cannot delete volume containing the Heketi database',
      );
    },
  },
];
