/** K: clients as they are, in what they send and how they take an answer. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, hashOf, type HeketiServer, nowSeconds, tokenOf } from '../heketi-server';
import { expectText, type Row, withSite } from '../row';

const PAUSE_MS = 20;
/** More than the server takes at once. */
const REQUESTS_MAX = 20;

/** The Python client: a JSON body with every request, no type of it, a token that is good for a second. */
function pythonClient(server: HeketiServer) {
  const send = (method: string, path: string, body: object = {}): Promise<Answer> => {
    const iat = nowSeconds();
    const claims = { iss: 'admin', iat, exp: iat + 1, qsh: hashOf(method, path) };
    return server.ask(method, path, { body, authorization: `bearer ${tokenOf(claims, server.address.adminKey)}` });
  };
  return {
    send,
    /** Follows the queue, and where it leads, each with a token of its own. */
    async make(method: string, path: string, body: object = {}): Promise<Answer> {
      const begun = await send(method, path, body);
      assert.equal(begun.status, 202, begun.text);
      const queue = begun.headers['location'] ?? '';
      assert.match(queue, /^\//); // It is put behind the address that the client has.
      for (;;) {
        const answer = await send('GET', queue);
        if (answer.headers['x-pending'] === 'true') await pause(PAUSE_MS);
        else return answer.status === 303 ? send('GET', answer.headers['location'] ?? '') : answer;
      }
    },
  };
}

export const clientRows = (): readonly Row[] => [
  {
    id: 'K07',
    title: 'a day of the Python client: a body with everything, tokens that are good for a second',
    run: async ({ server }) => {
      const client = pythonClient(server);
      const [host] = await server.hosts.take(1, 1);
      const address = host?.address ?? '';
      const made = await client.send('POST', '/clusters', { file: true, block: true });
      assert.equal(made.status, 201);
      const { id: cluster } = JSON.parse(made.text) as { id: string };
      const hostnames = { manage: [address], storage: [address] };
      const node = await client.make('POST', '/nodes', { cluster, zone: 1, hostnames });
      assert.equal(node.status, 200, node.text);
      const { id: nodeId } = JSON.parse(node.text) as { id: string };
      const added = await client.make('POST', '/devices', { node: nodeId, name: host?.devices[0] });
      assert.deepEqual([added.status, added.text], [204, '']);
      const info = JSON.parse((await client.send('GET', `/nodes/${nodeId}`)).text) as { devices: { id: string }[] };
      const device = info.devices[0]?.id ?? '';
      const volume = await client.make('POST', '/volumes', { size: 1, clusters: [cluster] });
      const { id: volumeId } = JSON.parse(volume.text) as { id: string };
      const grown = await client.make('POST', `/volumes/${volumeId}/expand`, { expand_size: 1 });
      assert.equal((JSON.parse(grown.text) as { size: number }).size, 2);
      expectText(await client.make('DELETE', `/volumes/${volumeId}`), 204, '');
      for (const state of ['offline', 'failed']) {
        expectText(await client.make('POST', `/devices/${device}/state`, { state }), 204, '');
      }
      expectText(await client.make('DELETE', `/devices/${device}`), 204, '');
      expectText(await client.make('DELETE', `/nodes/${nodeId}`), 204, '');
      server.hosts.give(address);
      expectText(await client.send('DELETE', `/clusters/${cluster}`), 200, '');
    },
  },
  {
    id: 'K08',
    title: 'the Go client waits out a busy server: what was refused goes through when it is sent again',
    needs: 'control',
    run: withSite({ zones: [1], devices: 1 }, async ({ server, control }, { cluster }) => {
      const body = { size: 1, clusters: [cluster] };
      await control?.hold('CreateBrick');
      const accepted: Answer[] = [];
      let answer = await server.post('/volumes', body);
      while (answer.status === 202 && accepted.length < REQUESTS_MAX) {
        accepted.push(answer);
        answer = await server.post('/volumes', body);
      }
      expectText(answer, 429, 'Server busy. Retry operation later.');
      // The client adds to what it reads here, and takes nothing but a whole number of seconds.
      assert.match(answer.headers['retry-after'] ?? '0', /^\d+$/);
      await control?.release();
      for (const { headers } of accepted) await server.end(headers['location'] ?? '');
      const again = await server.work('POST', '/volumes', body);
      assert.equal(again.status, 303, again.text);
    }),
  },
];
