/** V: volumes. S: sizes. P: places. */
import assert from 'node:assert/strict';
import { NotPossibleHere } from '../hosts';
import { newName } from '../names';
import {
  disperse,
  expectDone,
  expectNoVolume,
  expectText,
  makeCluster,
  makeSite,
  makeVolume,
  removeSite,
  replica,
  type Row,
  usedKib,
  withSite,
} from '../row';

const option = (key: string, value: string): object => ({ glustervolumeoptions: [`${key} ${value}`] });
const NO_SPACE = 'Failed to allocate new volume: No space';

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

const BRICKS: readonly (readonly [body: object, used: number])[] = [
  [{ size: 1 }, 1_056_768],
  [{ size: 10 }, 10_539_008],
  [{ size: 10, snapshot: { enable: true, factor: 1.5 } }, 15_810_560],
  [{ size: 100 }, 105_381_888],
  [{ size: 100, snapshot: { enable: true, factor: 1.25 } }, 131_727_360],
];

export const sizeRows = (): readonly Row[] => [
  {
    id: 'S01',
    title: 'what a brick takes from its device',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, site) => {
      for (const [body, used] of BRICKS) {
        const volume = await makeVolume(server, site.cluster, body);
        assert.deepEqual(await usedKib(server, site), [used]);
        await expectDone(server, 'DELETE', `/volumes/${volume.text('id')}`);
      }
    }),
  },
  {
    id: 'S02',
    title: 'the largest brick of a device of 500 GiB has 497',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, site) => {
      const volume = await makeVolume(server, site.cluster, { size: 497 });
      assert.equal(volume.list('bricks').length, 1);
      assert.deepEqual(await usedKib(server, site), [523_751_424]);
      await expectDone(server, 'DELETE', `/volumes/${volume.text('id')}`);
      const split = await server.post('/volumes', { size: 498, clusters: [site.cluster] });
      expectText(split, 500, NO_SPACE);
    }),
  },
  {
    id: 'S03',
    title: 'what does not fit as one set is split',
    run: withSite({}, async ({ server }, { cluster }) => {
      const volume = await makeVolume(server, cluster, { size: 800, ...replica(3) });
      assert.deepEqual(
        volume.list('bricks').map((one) => one.number('size')),
        Array(6).fill(419_430_400),
      );
    }),
  },
  {
    id: 'S06',
    title: 'an arbiter has room for names, as many as files of the average size fill its brick',
    run: withSite({ zones: [1, 2, 3], devices: 1 }, async ({ server }, site) => {
      const { cluster } = site;
      const average = (kib: number): string => `user.heketi.average-file-size ${String(kib)}`;
      const arbiter = (size: number, ...more: readonly string[]): object => ({
        size,
        ...replica(3),
        glustervolumeoptions: ['user.heketi.arbiter true', ...more],
      });
      for (const [size, more, smallest] of [
        [10, [], 163_840],
        [100, [average(1_024)], 102_400],
        [1, [average(1_024)], 16_384],
      ] as const) {
        const volume = await makeVolume(server, cluster, arbiter(size, ...more));
        const sizes = volume.list('bricks').map((one) => one.number('size'));
        const data = size * 1_048_576;
        assert.deepEqual(
          sizes.sort((one, other) => one - other),
          [smallest, data, data],
        );
        await expectDone(server, 'DELETE', `/volumes/${volume.text('id')}`);
      }
      const text = 'Failed to allocate new volume: Average file size (2000000) is greater than Brick size (1048576)';
      await expectNoVolume(server, { ...arbiter(1, average(2_000_000)), clusters: [cluster] }, 500, text);
      assert.deepEqual(await usedKib(server, site), [0, 0, 0]);
    }),
  },
  {
    id: 'S07',
    title: 'a block hosting volume keeps two of a hundred, more with each expansion, and can be locked',
    run: withSite({}, async ({ server }, { cluster }) => {
      const volume = await makeVolume(server, cluster, { size: 200, block: true, ...replica(3) });
      assert.equal(volume.text('block'), 'true');
      assert.deepEqual(volume.at('blockinfo').value, { freesize: 196, reservedsize: 4 });
      const path = `/volumes/${volume.text('id')}`;
      const grown = await server.make(`${path}/expand`, { expand_size: 10 });
      assert.deepEqual(grown.at('blockinfo').value, { freesize: 205, reservedsize: 5 });
      const locked = await server.make(`${path}/block-restriction`, { restriction: 'locked' });
      assert.equal(locked.at('blockinfo').text('restriction'), 'locked');
      const open = await server.make(`${path}/block-restriction`, { restriction: '' });
      assert.deepEqual(open.at('blockinfo').names, ['freesize', 'reservedsize']);
      const bad = await server.post(`${path}/block-restriction`, { restriction: 'locked-by-update' });
      expectText(bad, 400, 'validation failed: restriction: must be a valid value.');
    }),
  },
];

export const placeRows = (): readonly Row[] => [
  {
    id: 'P01',
    title: 'no two bricks of a set on one node',
    run: withSite({}, async ({ server }, { cluster }) => {
      for (const shape of [replica(2), replica(3), disperse(2, 1)]) {
        const bricks = (await makeVolume(server, cluster, { size: 10, ...shape })).list('bricks');
        assert.equal(new Set(bricks.map((one) => one.text('node'))).size, bricks.length);
      }
    }),
  },
  {
    id: 'P02',
    title: 'too few nodes are no space',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      await expectNoVolume(server, { size: 10, clusters: [cluster], ...disperse(4, 2) }, 500, NO_SPACE);
    },
  },
  {
    id: 'P03',
    title: 'what is offline gets no bricks',
    run: withSite({ zones: [1, 2], devices: 2 }, async ({ server }, site) => {
      const [first, second] = site.nodes;
      await expectDone(server, 'POST', `/nodes/${first?.id ?? ''}/state`, { state: 'offline' });
      await expectDone(server, 'POST', `/devices/${second?.devices[0] ?? ''}/state`, { state: 'offline' });
      for (let round = 0; round < 3; round += 1) {
        const [brick] = (await makeVolume(server, site.cluster, { size: 1 })).list('bricks');
        assert.equal(brick?.text('device'), second?.devices[1]);
      }
      await expectDone(server, 'POST', `/nodes/${second?.id ?? ''}/state`, { state: 'offline' });
      const text = 'Failed to allocate new volume: No online storage devices in cluster';
      await expectNoVolume(server, { size: 1, clusters: [site.cluster] }, 500, text);
      for (const node of site.nodes) await expectDone(server, 'POST', `/nodes/${node.id}/state`, { state: 'online' });
    }),
  },
  {
    id: 'P04',
    title: 'strict zones keep copies apart',
    run: withSite({ zones: [1, 1, 2], devices: 1 }, async ({ server }, { cluster }) => {
      const strict = option('user.heketi.zone-checking', 'strict');
      await expectNoVolume(server, { size: 1, clusters: [cluster], ...replica(3), ...strict }, 500, NO_SPACE);
      await makeVolume(server, cluster, { size: 1, ...replica(3), ...option('user.heketi.zone-checking', 'none') });
      await makeVolume(server, cluster, { size: 1, ...replica(3) });
    }),
  },
  {
    id: 'P05',
    title: 'arbiters go where tags want them, data where they do not, and a device’s own tag counts',
    run: withSite(
      { zones: [1, 2, 3, 4], devices: 1, tags: (index) => (index === 0 ? { arbiter: 'required' } : {}) },
      async ({ server }, { cluster, nodes }) => {
        const request = {
          size: 10,
          ...replica(3),
          glustervolumeoptions: ['user.heketi.arbiter true', 'user.heketi.zone-checking none'],
        };
        const [first, second, third, fourth] = nodes.map(({ devices }) => devices[0] ?? '');
        const tag = (device: string | undefined, arbiter: string): Promise<unknown> =>
          server.post(`/devices/${device ?? ''}/tags`, { change_type: 'set', tags: { arbiter } });
        const placesOf = async (): Promise<{ readonly arbiter: string; readonly data: readonly string[] }> => {
          const bricks = (await makeVolume(server, cluster, request)).list('bricks');
          const [arbiter, ...data] = bricks.toSorted((one, other) => one.number('size') - other.number('size'));
          return { arbiter: arbiter?.text('device') ?? '', data: data.map((one) => one.text('device')).sort() };
        };
        assert.equal((await placesOf()).arbiter, first);
        await tag(second, 'disabled');
        await tag(third, 'disabled');
        assert.deepEqual(await placesOf(), { arbiter: first, data: [second, third].sort() });
        await tag(first, 'supported');
        await tag(fourth, 'required');
        assert.deepEqual(await placesOf(), { arbiter: fourth, data: [second, third].sort() });
        for (const device of [first, fourth]) await tag(device, 'disabled');
        await expectNoVolume(server, { ...request, clusters: [cluster] }, 500, NO_SPACE);
        // A volume without arbiters does not mind.
        for (const device of [first, second, third, fourth]) await tag(device, 'required');
        assert.equal((await makeVolume(server, cluster, { size: 10, ...replica(3) })).list('bricks').length, 3);
      },
    ),
  },
  {
    id: 'P06',
    title: 'a tag chooses devices, a node’s counts for its devices',
    run: withSite(
      { zones: [1, 2], devices: 2, tags: (index) => (index === 0 ? { tier: 'gold' } : {}) },
      async ({ server }, site) => {
        const { cluster, nodes } = site;
        const matching = (rule: string) => option('user.heketi.device-tag-match', rule);
        const nodeOf = async (rule: string): Promise<string> =>
          (await makeVolume(server, cluster, { size: 1, ...matching(rule) })).list('bricks')[0]?.text('node') ?? '';
        assert.equal(await nodeOf('tier=gold'), nodes[0]?.id);
        assert.equal(await nodeOf('tier!=gold'), nodes[1]?.id);
        const own = nodes[0]?.devices[0] ?? '';
        await server.post(`/devices/${own}/tags`, { change_type: 'set', tags: { tier: 'iron' } });
        const [brick] = (await makeVolume(server, cluster, { size: 1, ...matching('tier=iron') })).list('bricks');
        assert.equal(brick?.text('device'), own);
        await expectNoVolume(server, { size: 1, clusters: [cluster], ...matching('tier=lead') }, 500, NO_SPACE);
        const bad = 'Failed to allocate new volume: Invalid tag matching rule: Invalid tag match rule: tier';
        await expectNoVolume(server, { size: 1, clusters: [cluster], ...matching('tier') }, 500, bad);
      },
    ),
  },
  {
    id: 'P07',
    title: 'only the clusters asked for, in that order',
    run: async ({ server }) => {
      const sites = [
        await makeSite(server, { zones: [1], devices: 1 }),
        await makeSite(server, { zones: [1], devices: 1 }),
      ];
      const [one, other] = sites.map(({ cluster }) => cluster);
      assert.equal((await server.make('/volumes', { size: 1, clusters: [other, one] })).text('cluster'), other);
      assert.equal((await server.make('/volumes', { size: 1, clusters: [one, other] })).text('cluster'), one);
      const big = await server.make('/volumes', { size: 490, clusters: [one] });
      assert.equal(big.text('cluster'), one);
      assert.equal((await server.make('/volumes', { size: 20, clusters: [one, other] })).text('cluster'), other);
      for (const site of sites) await removeSite(server, site);
    },
  },
];
