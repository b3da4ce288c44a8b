/** S: what volumes take from devices. P: where their bricks lie. */
import assert from 'node:assert/strict';
import {
  disperse,
  expectDone,
  expectNoVolume,
  expectText,
  makeSite,
  makeVolume,
  NO_SPACE,
  option,
  removeSite,
  replica,
  type Row,
  usedKib,
  withSite,
} from '../row';

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
