/** E: bricks that move away. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, HeketiServer, Json } from '../heketi-server';
import { expectDone, expectText, makeSite, makeVolume, removeSite, replica, type Row, usedKib, withSite } from '../row';

const bricksOf = (volume: Json): readonly { readonly id: string; readonly node: string; readonly device: string }[] =>
  volume
    .list('bricks')
    .map((brick) => ({ id: brick.text('id'), node: brick.text('node'), device: brick.text('device') }));

const evict = (server: HeketiServer, brick: string, body?: object): Promise<Answer> =>
  server.work('POST', `/bricks/to-evict/${brick}`, body);

const setState = (server: HeketiServer, kind: 'nodes' | 'devices', id: string, state: string): Promise<Answer> =>
  server.work('POST', `/${kind}/${id}/state`, { state });

/** Gluster's heal daemon needs a moment to know of a new volume, and may have something to heal at once. */
const UNSETTLED = /required peer bricks are online|source brick for data to be healed/;
const SETTLED_MS = 60_000;
const PAUSE_MS = 500;

async function patiently(work: () => Promise<Answer>): Promise<Answer> {
  const deadline = Date.now() + SETTLED_MS;
  let answer = await work();
  while (answer.status === 500 && UNSETTLED.test(answer.text) && Date.now() < deadline) {
    await pause(PAUSE_MS);
    answer = await work();
  }
  return answer;
}

const NO_REPLACEMENT = 'No Replacement was found for resource requested to be removed';

export const evacuationRows = (): readonly Row[] => [
  {
    id: 'E01',
    title: 'an evicted brick is on another device, and no two of its set are on one node',
    run: withSite({ zones: [1, 2, 3] }, async ({ server }, site) => {
      const volume = await makeVolume(server, site.cluster, { size: 2, ...replica(3) });
      const path = `/volumes/${volume.text('id')}`;
      const used = (await usedKib(server, site)).reduce((sum, one) => sum + one, 0);
      const [leaving] = bricksOf(volume);
      expectText(await patiently(() => evict(server, leaving?.id ?? '')), 204, '');
      const after = bricksOf(await server.read(path));
      assert.equal(after.length, 3);
      assert.ok(!after.some(({ id, device }) => id === leaving?.id || device === leaving?.device));
      assert.equal(new Set(after.map(({ node }) => node)).size, 3);
      assert.equal(
        (await usedKib(server, site)).reduce((sum, one) => sum + one, 0),
        used,
      );
      expectText(await evict(server, leaving?.id ?? ''), 404, 'Id not found');
      expectText(await evict(server, after[0]?.id ?? '', { healcheck: 'odd' }), 400, /^validation failed: healcheck: /);
    }),
  },
  {
    id: 'E04',
    title: 'what finds no other place stays, and the texts say of what',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster, nodes }) => {
      const volume = await makeVolume(server, cluster, { size: 1, ...replica(2) });
      const before = bricksOf(volume);
      const [node] = nodes;
      const device = node?.devices[0] ?? '';
      const [brick] = before.filter((one) => one.device === device);
      expectText(await evict(server, brick?.id ?? ''), 500, NO_REPLACEMENT);
      expectText(await setState(server, 'devices', device, 'offline'), 204, '');
      expectText(
        await setState(server, 'devices', device, 'failed'),
        500,
        `Unable to delete device [${device}] as no device was found to replace it: ${NO_REPLACEMENT}`,
      );
      assert.equal((await server.read(`/devices/${device}`)).text('state'), 'offline');
      expectText(await setState(server, 'nodes', node?.id ?? '', 'offline'), 204, '');
      expectText(
        await setState(server, 'nodes', node?.id ?? '', 'failed'),
        500,
        `Unable to remove node [${node?.id ?? ''}] as no device was found to replace device [${device}]`,
      );
      assert.equal((await server.read(`/nodes/${node?.id ?? ''}`)).text('state'), 'offline');
      assert.deepEqual(bricksOf(await server.read(`/volumes/${volume.text('id')}`)), before);
      expectText(await setState(server, 'nodes', node?.id ?? '', 'online'), 204, '');
      expectText(await setState(server, 'devices', device, 'online'), 204, '');
    }),
  },
  {
    id: 'E05',
    title: 'a failed device has given its bricks away, and can be deleted',
    run: withSite({ zones: [1, 2, 3] }, async ({ server }, site) => {
      const volume = await makeVolume(server, site.cluster, { size: 1, ...replica(3) });
      const device = bricksOf(volume)[0]?.device ?? '';
      expectText(await setState(server, 'devices', device, 'offline'), 204, '');
      expectText(await patiently(() => setState(server, 'devices', device, 'failed')), 204, '');
      const shown = await server.read(`/devices/${device}`);
      assert.deepEqual([shown.text('state'), shown.list('bricks').length], ['failed', 0]);
      assert.ok(!bricksOf(await server.read(`/volumes/${volume.text('id')}`)).some((brick) => brick.device === device));
      expectText(await setState(server, 'devices', device, 'offline'), 204, '');
      expectText(await setState(server, 'devices', device, 'online'), 204, '');
    }),
  },
  {
    id: 'E06',
    title: 'the only copy is not moved, and never lost',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster }) => {
      const volume = await makeVolume(server, cluster, { size: 1 });
      const [brick] = bricksOf(volume);
      const text = `Cannot replace brick ${brick?.id ?? ''} as only 0 of 1 required peer bricks are online`;
      expectText(await evict(server, brick?.id ?? ''), 500, text);
      // heketi would put an empty brick in its place here.
      const unchecked = await evict(server, brick?.id ?? '', { healcheck: 'disable' });
      expectText(unchecked, 500, /keeps only one copy of its data, which would be lost/);
      const device = brick?.device ?? '';
      expectText(await setState(server, 'devices', device, 'offline'), 204, '');
      expectText(await setState(server, 'devices', device, 'failed'), 500, text);
      expectText(await setState(server, 'devices', device, 'online'), 204, '');
      assert.deepEqual(bricksOf(await server.read(`/volumes/${volume.text('id')}`)), bricksOf(volume));
    }),
  },
  {
    id: 'E07',
    title: 'a failed node has failed devices, and is deleted after them',
    run: async ({ server }) => {
      const site = await makeSite(server, { zones: [1, 2, 3, 4], devices: 1 });
      const { cluster, nodes } = site;
      const volume = await makeVolume(server, cluster, { size: 1, ...replica(3) });
      const leaving = bricksOf(volume)[0]?.node ?? '';
      const node = nodes.find(({ id }) => id === leaving);
      const devices = node?.devices ?? [];
      expectText(await setState(server, 'nodes', leaving, 'offline'), 204, '');
      expectText(await patiently(() => setState(server, 'nodes', leaving, 'failed')), 204, '');
      const shown = await server.read(`/nodes/${leaving}`);
      assert.deepEqual(
        [shown.text('state'), ...shown.list('devices').map((device) => device.text('state'))],
        ['failed', 'failed'],
      );
      const text = `Unable to delete node [${leaving}] because it contains devices`;
      expectText(await server.ask('DELETE', `/nodes/${leaving}`), 409, text);
      for (const device of devices) await expectDone(server, 'DELETE', `/devices/${device}`);
      await expectDone(server, 'DELETE', `/nodes/${leaving}`);
      server.hosts.give(node?.host ?? '');
      assert.ok(!(await server.read(`/clusters/${cluster}`)).texts('nodes').includes(leaving));
      await removeSite(server, { cluster, nodes: nodes.filter(({ id }) => id !== leaving) });
    },
  },
];
