/** N: nodes. D: devices. */
import assert from 'node:assert/strict';
import { newName } from '../names';
import {
  expectDone,
  expectText,
  makeCluster,
  makeSite,
  makeVolume,
  removeDevice,
  removeSite,
  type Row,
  withSite,
} from '../row';

const names = (manage: string, storage = manage): object => ({ hostnames: { manage: [manage], storage: [storage] } });
const tags = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${String(index)}`, '']));

export const nodeRows = (): readonly Row[] => [
  {
    id: 'N01',
    title: 'a node is added, online and without devices',
    run: withSite({ zones: [7], devices: 0 }, async ({ server }, { cluster, nodes }) => {
      const [node] = nodes;
      const info = await server.read(`/nodes/${node?.id ?? ''}`);
      assert.deepEqual(info.names, ['zone', 'hostnames', 'cluster', 'id', 'state', 'devices']);
      assert.deepEqual([info.number('zone'), info.text('cluster'), info.text('state')], [7, cluster, 'online']);
      assert.deepEqual(info.texts('devices'), []);
    }),
  },
  {
    id: 'N02',
    title: 'what is wrong with a node is named',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      const cases: readonly (readonly [object, string])[] = [
        [
          {},
          'cluster: cannot be blank; hostnames: (manage: cannot be blank; storage: cannot be blank.); zone: cannot be blank.',
        ],
        [{ cluster, zone: -1, ...names('h') }, 'zone: must be no less than 1.'],
        [{ cluster: 'x', zone: 1, ...names('h') }, 'cluster: x is not a valid UUID.'],
        [
          { cluster, zone: 1, ...names('bad host!', 'h') },
          'hostnames: (manage: [bad host!] is not a valid manage hostname.).',
        ],
        [
          { cluster, zone: 1, ...names('h', 'bad host!') },
          'hostnames: (storage: [bad host!] is not a valid storage hostname.).',
        ],
      ];
      for (const [body, text] of cases)
        expectText(await server.post('/nodes', body), 400, `validation failed: ${text}`);
    },
  },
  {
    id: 'N03',
    title: 'a name is used once, in whatever cluster',
    run: async ({ server, shared }) => {
      const { nodes } = await shared();
      const [node] = nodes;
      const other = await makeCluster(server);
      const taken = node?.host ?? '';
      const text = `Hostname ${taken} already used by node with id ${node?.id ?? ''}\n`;
      expectText(await server.post('/nodes', { cluster: other, zone: 1, ...names(taken, newName('s')) }), 409, text);
      expectText(await server.post('/nodes', { cluster: other, zone: 1, ...names(newName('m'), taken) }), 409, text);
      await server.ask('DELETE', `/clusters/${other}`);
    },
  },
  {
    id: 'N04',
    title: 'a node needs its cluster',
    run: async ({ server }) => {
      const body = { cluster: 'ab'.repeat(16), zone: 1, ...names(newName('h')) };
      expectText(await server.post('/nodes', body), 404, 'Cluster id does not exist');
    },
  },
  {
    id: 'N06',
    title: 'a node that could not be added can be added again',
    needs: 'control',
    run: async ({ server, control }) => {
      const site = await makeSite(server, { zones: [1], devices: 0 });
      const [spare] = await server.hosts.take(1, 0);
      const body = { cluster: site.cluster, zone: 1, ...names(spare?.address ?? '') };
      await control?.fail('ProbePeer');
      const failed = await server.work('POST', '/nodes', body);
      await control?.release();
      assert.equal(failed.status, 500, failed.text);
      const node = await server.make('/nodes', body);
      await expectDone(server, 'DELETE', `/nodes/${node.text('id')}`);
      server.hosts.give(spare?.address ?? '');
      await removeSite(server, site);
    },
  },
  {
    id: 'N07',
    title: 'a node with devices stays, one without goes, and volumes forget it',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server }, { cluster, nodes }) => {
      const [spare] = await server.hosts.take(1, 0);
      const bare = await server.make('/nodes', { cluster, zone: 3, ...names(spare?.address ?? '') });
      const volume = await makeVolume(server, cluster, { size: 1 });
      const hosts = async (): Promise<number> =>
        (await server.read(`/volumes/${volume.text('id')}`)).at('mount').at('glusterfs').texts('hosts').length;
      assert.equal(await hosts(), 3);
      const held = nodes[0]?.id ?? '';
      const text = `Unable to delete node [${held}] because it contains devices`;
      expectText(await server.ask('DELETE', `/nodes/${held}`), 409, text);
      await expectDone(server, 'DELETE', `/nodes/${bare.text('id')}`);
      server.hosts.give(spare?.address ?? '');
      assert.equal(await hosts(), 2);
    }),
  },
  {
    id: 'N08',
    title: 'states follow heketi’s table, and what is forbidden is told on the queue',
    run: async ({ server }) => {
      const site = await makeSite(server, { zones: [1], devices: 0 });
      const id = site.nodes[0]?.id ?? '';
      const set = (state: string) => server.work('POST', `/nodes/${id}/state`, { state });
      expectText(await set('online'), 204, '');
      expectText(await set('failed'), 500, `Node must be offline before remove operation is performed, node:${id}`);
      expectText(await set('offline'), 204, '');
      expectText(await set('online'), 204, '');
      expectText(await set('offline'), 204, '');
      expectText(await set('failed'), 204, '');
      expectText(await set('failed'), 204, '');
      expectText(await set('online'), 500, 'Cannot move a failed/removed node to online state');
      expectText(await set('offline'), 500, 'Cannot move a failed/removed node to offline state');
      expectText(await set('bogus'), 400, 'validation failed: state: bogus is not valid state.');
      expectText(await set(''), 400, 'validation failed: state: cannot be blank.');
      const odd = await server.post(`/nodes/${id}/state`, { state: 'offline', healcheck: 'x' });
      expectText(odd, 400, 'validation failed: healcheck: x is not valid heal info check.');
      expectText(await server.post('/nodes/ab/state', { state: 'online' }), 404, 'Id not found');
      await removeSite(server, site);
    },
  },
  {
    id: 'N09',
    title: 'tags are set, laid over and taken away',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { nodes }) => {
      const [node] = nodes;
      for (const path of [`/nodes/${node?.id ?? ''}`, `/devices/${node?.devices[0] ?? ''}`]) {
        const change = (change_type: string, to: object | undefined) =>
          server.post(`${path}/tags`, { change_type, tags: to });
        expectText(await change('set', { b: '2', a: '1' }), 200, '{"a":"1","b":"2"}');
        expectText(await change('update', { b: '3', c: '4' }), 200, '{"a":"1","b":"3","c":"4"}');
        expectText(await change('delete', { b: 'x', z: '' }), 200, '{"a":"1","c":"4"}');
        assert.deepEqual((await server.read(path)).at('tags').value, { a: '1', c: '4' });
        expectText(await change('set', undefined), 200, '{}');
        assert.ok(!(await server.read(path)).names.includes('tags'));
      }
      expectText(await server.post('/nodes/ab/tags', { change_type: 'set' }), 404, 'Id not found');
    }),
  },
  {
    id: 'N10',
    title: 'tags have limits',
    run: async ({ server, shared }) => {
      const { nodes } = await shared();
      const long = 'n'.repeat(33);
      const cases: readonly (readonly [object, string])[] = [
        [tags(33), 'too many tags specified (33), up to 32 supported'],
        [{ [long]: '' }, `tag name ${long}: the length must be between 1 and 32`],
        [{ a: 'v'.repeat(65) }, 'value of tag a: the length must be no more than 64'],
        [{ 'a b': '' }, 'invalid characters in tag name a b'],
        [{ '': '' }, 'tag names may not be empty'],
      ];
      for (const [wanted, text] of cases) {
        const answer = await server.post(`/nodes/${nodes[0]?.id ?? ''}/tags`, { change_type: 'set', tags: wanted });
        expectText(answer, 400, `validation failed: tags: ${text}.`);
      }
    },
  },
];

export const deviceRows = (): readonly Row[] => [
  {
    id: 'D01',
    title: 'a device is added without telling its id; its node tells',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { nodes }) => {
      const [device] = (await server.read(`/nodes/${nodes[0]?.id ?? ''}`)).list('devices');
      assert.equal(device?.text('state'), 'online');
      assert.deepEqual(device.at('storage').value, { total: 524_288_000, free: 524_288_000, used: 0 });
      const again = await server.work('POST', '/devices', { node: nodes[0]?.id, name: nodes[0]?.names[0] });
      assert.equal(again.status, 500);
      assert.match(again.text, /already in use/);
    }),
  },
  {
    id: 'D02',
    title: 'a device has a path',
    run: async ({ server, shared }) => {
      const node = (await shared()).nodes[0]?.id;
      for (const name of ['sdb', '/dev/s db', '/dev/sd;b', '/']) {
        expectText(
          await server.post('/devices', { node, name }),
          400,
          'validation failed: name: must be in a valid format.',
        );
      }
      expectText(
        await server.post('/devices', {}),
        400,
        'validation failed: name: cannot be blank; node: cannot be blank.',
      );
    },
  },
  {
    id: 'D03',
    title: 'a device needs its node',
    run: async ({ server }) => {
      expectText(
        await server.post('/devices', { node: 'ab'.repeat(16), name: '/dev/sdb' }),
        404,
        'Node id does not exist',
      );
    },
  },
  {
    id: 'D04',
    title: 'only a failed device can be deleted',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { nodes }) => {
      const device = nodes[0]?.devices[0] ?? '';
      expectText(await server.ask('DELETE', `/devices/${device}`), 400, `device: ${device} is not in failed state`);
      expectText(await server.ask('DELETE', '/devices/ab'), 404, 'Id not found');
      expectText(
        await server.ask('DELETE', `/devices/${device}`, { body: '{bad' }),
        422,
        'request unable to be parsed',
      );
    }),
  },
  {
    id: 'D05',
    title: 'a failed device comes back by way of offline',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { nodes }) => {
      const device = nodes[0]?.devices[0] ?? '';
      const set = (state: string) => server.work('POST', `/devices/${device}/state`, { state });
      const early = `Device must be offline before remove operation is performed, device:${device}`;
      expectText(await set('failed'), 500, early);
      expectText(await set('offline'), 204, '');
      expectText(await set('failed'), 204, '');
      expectText(await set('online'), 500, 'Cannot move a failed/removed device to online state');
      expectText(await set('offline'), 204, '');
      expectText(await set('online'), 204, '');
    }),
  },
  {
    id: 'D06',
    title: 'a device is looked at again, but not while bricks are put on it',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster, nodes }) => {
      const path = `/devices/${nodes[0]?.devices[0] ?? ''}`;
      expectText(await server.work('GET', `${path}/resync`), 204, '');
      assert.equal((await server.read(path)).at('storage').number('total'), 524_288_000);
      expectText(await server.get('/devices/ab/resync'), 404, 'Id not found');
      await control?.hold('CreateBrick');
      const begun = await server.post('/volumes', { size: 1, clusters: [cluster] });
      expectText(await server.get(`${path}/resync`), 500, 'The target exists, contains other items, or is in use.');
      await control?.release();
      assert.equal((await server.end(begun.headers['location'] ?? '')).status, 303);
    }),
  },
  {
    id: 'D07',
    title: 'a device can be forgotten, and taken in again',
    run: async ({ server }) => {
      const site = await makeSite(server, { zones: [1], devices: 1 });
      const [node] = site.nodes;
      const device = node?.devices[0] ?? '';
      for (const state of ['offline', 'failed'])
        await expectDone(server, 'POST', `/devices/${device}/state`, { state });
      await expectDone(server, 'DELETE', `/devices/${device}`, { forceforget: true });
      expectText(await server.get(`/devices/${device}`), 404, 'Id not found');
      await expectDone(server, 'POST', '/devices', { node: node?.id, name: node?.names[0] });
      const [again] = (await server.read(`/nodes/${node?.id ?? ''}`)).list('devices');
      await removeDevice(server, again?.text('id') ?? '');
      await removeSite(server, { ...site, nodes: site.nodes.map((one) => ({ ...one, devices: [] })) });
    },
  },
  {
    id: 'D09',
    title: 'bricks of a running operation are listed, and their space is gone',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster, nodes }) => {
      await control?.hold('CreateBrick');
      const begun = await server.post('/volumes', { size: 1, clusters: [cluster] });
      const device = await server.read(`/devices/${nodes[0]?.devices[0] ?? ''}`);
      assert.equal(device.list('bricks').length, 1);
      assert.equal(device.at('storage').number('used'), 1_056_768);
      await control?.release();
      await server.end(begun.headers['location'] ?? '');
    }),
  },
];

/** J: work that goes on after the answer. */
export const queueRows = (): readonly Row[] => [
  {
    id: 'J01',
    title: 'work is accepted with a relative location',
    run: withSite({ zones: [1], devices: 1 }, async ({ server }, { cluster }) => {
      const answer = await server.post('/volumes', { size: 1, clusters: [cluster] });
      assert.deepEqual([answer.status, answer.text], [202, '']);
      assert.match(answer.headers['location'] ?? '', /^\/queue\/[0-9a-f]{32}$/);
      await server.end(answer.headers['location'] ?? '');
    }),
  },
  {
    id: 'J02',
    also: ['J03', 'J06'],
    title: 'a poll is pending, then tells the result, and tells it once',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster }) => {
      await control?.hold('CreateBrick');
      const begun = await server.post('/volumes', { size: 1, clusters: [cluster] });
      const queue = begun.headers['location'] ?? '';
      const pending = await server.get(queue);
      assert.deepEqual([pending.status, pending.headers['x-pending'], pending.text], [200, 'true', '']);
      await control?.release();
      const done = await server.end(queue);
      assert.deepEqual([done.status, done.headers['x-pending']], [303, undefined]);
      assert.match(done.headers['location'] ?? '', /^\/volumes\/[0-9a-f]{32}$/);
      expectText(await server.get(queue), 404, 'Id not found');
    }),
  },
  {
    id: 'J04',
    title: 'work without a result ends with 204',
    run: async ({ server, shared }) => {
      const { nodes } = await shared();
      await expectDone(server, 'POST', `/nodes/${nodes[0]?.id ?? ''}/state`, { state: 'online' });
    },
  },
  {
    id: 'J05',
    title: 'work that fails ends with 500, its text, and nothing left',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster, nodes }) => {
      await control?.fail('CreateBrick');
      const failed = await server.work('POST', '/volumes', { size: 1, clusters: [cluster] });
      await control?.release();
      expectText(failed, 500, 'planned by the test');
      assert.deepEqual((await server.read(`/clusters/${cluster}`)).texts('volumes'), []);
      const device = await server.read(`/devices/${nodes[0]?.devices[0] ?? ''}`);
      assert.equal(device.at('storage').number('used'), 0);
    }),
  },
  {
    id: 'J07',
    also: ['J08', 'J09'],
    title: 'eight operations at once, not nine; others go on',
    needs: 'control',
    run: withSite({ zones: [1, 2], devices: 1 }, async ({ server, control }, { cluster, nodes }) => {
      await control?.hold('CreateBrick');
      const bodies = Array.from({ length: 10 }, () => ({ size: 1, clusters: [cluster] }));
      const answers = await Promise.all(bodies.map((body) => server.post('/volumes', body)));
      const accepted = answers.filter(({ status }) => status === 202);
      const refused = answers.filter(({ status }) => status === 429);
      assert.deepEqual([accepted.length, refused.length], [8, 2]);
      for (const answer of refused) expectText(answer, 429, 'Server busy. Retry operation later.');
      assert.equal((await server.read('/operations')).number('in_flight'), 8);
      const device = nodes[0]?.devices[0] ?? '';
      await expectDone(server, 'POST', `/devices/${device}/state`, { state: 'offline' });
      assert.equal((await server.post(`/devices/${device}/state`, { state: 'failed' })).status, 429);
      assert.equal((await server.get('/volumes')).status, 200);
      await control?.release();
      for (const { headers } of accepted) await server.end(headers['location'] ?? '');
      assert.equal((await server.read('/operations')).number('in_flight'), 0);
      await expectDone(server, 'POST', `/devices/${device}/state`, { state: 'online' });
    }),
  },
];
