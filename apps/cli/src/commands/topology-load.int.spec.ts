import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../cli';
import { EXIT } from '../exit-codes';

const hostnames = { manage: ['host1'], storage: ['host1'] };
const NODE = { id: 'n1', cluster: 'c1', zone: 1, state: 'online', tags: {}, hostnames, devices: [] };
const CLUSTER = { id: 'c1', nodes: ['n1'], volumes: [], file: true, block: true };

describe('topology load', () => {
  let server: Server;
  let folder: string;
  /** How often a node is still refused, and with what. */
  let refusals: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'brickyard-topology-'));
    writeFileSync(join(folder, 'file'), JSON.stringify({ clusters: [{ nodes: [{ node: { hostnames, zone: 1 } }] }] }));
    server = createServer(({ method, url = '' }, response) => {
      const answer = (status: number, body: unknown): unknown =>
        response
          .writeHead(status, { 'x-brickyard-position': '7', 'content-type': 'application/json' })
          .end(JSON.stringify(body));
      if (url.startsWith('/v1/topology')) return answer(200, { clusters: [], nodes: [], volumes: [] });
      if (url.startsWith('/clusters')) return answer(method === 'POST' ? 201 : 200, CLUSTER);
      const refusal = refusals.shift();
      if (refusal === undefined) return answer(201, NODE);
      return response.writeHead(400, { 'content-type': 'text/plain' }).end(refusal);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    rmSync(folder, { recursive: true, force: true });
  });

  const load = async (...flags: string[]): Promise<{ readonly code: number; readonly told: string }> => {
    let told = '';
    const tell = (text: string): unknown => (told += text);
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const argv = ['--server', url, 'topology', 'load', join(folder, 'file'), ...flags];
    return { code: await runCli(argv, { env: {}, out: tell, err: tell }), told };
  };
  const GLUSTERD = "New Node doesn't have glusterd running";

  it('tells at once that a host does not answer', async () => {
    refusals = [GLUSTERD];
    const { code, told } = await load();
    expect([code, told]).toEqual([EXIT.refused, expect.stringContaining(GLUSTERD)]);
  });

  it('asks again until hosts that are just starting answer, where it is told to', async () => {
    refusals = [GLUSTERD, 'None of the nodes in cluster has glusterd running'];
    const { code, told } = await load('--hosts-within', '60');
    expect([code, told]).toEqual([EXIT.fine, expect.stringContaining('Creating node host1 ... ID: n1')]);
  });

  it('does not ask again after any other refusal', async () => {
    refusals = ['Node hostname already used', GLUSTERD];
    const { code } = await load('--hosts-within', '60');
    expect([code, refusals]).toEqual([EXIT.refused, [GLUSTERD]]);
  });
});
