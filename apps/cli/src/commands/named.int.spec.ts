import { EXIT } from '../exit-codes';
import { type CliBench, cliAgainst } from '../testing/cli-against';

const [WEB, LOGS, LOGS_ELSEWHERE] = ['ab'.repeat(16), 'ac'.repeat(16), 'cd'.repeat(16)];
const [NODE, DEVICE] = ['de'.repeat(16), 'ef'.repeat(16)];
const VOLUMES = [
  { id: WEB, name: 'web' },
  { id: LOGS, name: 'logs' },
  { id: LOGS_ELSEWHERE, name: 'logs' },
  { id: `abab${'0'.repeat(28)}`, name: 'acac' },
];
const NODES = [{ id: NODE, host: 'storage-1', devices: [{ id: DEVICE, name: '/dev/sdb' }] }];

describe('what people call things', () => {
  let bench: CliBench;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    bench = await cliAgainst(({ method = '', url = '' }, response) => {
      const { pathname, searchParams } = new URL(url, 'http://brickyard');
      asked.push(`${method} ${pathname}`);
      response.setHeader('content-type', 'application/json');
      const search = searchParams.get('search') ?? '';
      if (pathname === '/v1/overview') response.end(JSON.stringify({ nodes: NODES }));
      else if (pathname === '/v1/overview/volumes') {
        const volumes = VOLUMES.filter(({ id, name }) => name.includes(search) || id.startsWith(search));
        response.end(JSON.stringify({ volumes }));
      } else if (method === 'GET') response.writeHead(404).end('"Id not found"');
      else response.writeHead(204).end();
    });
  });
  afterEach(() => bench.close());

  it.each([
    ['volume delete web', `DELETE /volumes/${WEB}`],
    [`volume info ${LOGS.slice(0, 31)}`, `GET /volumes/${LOGS}`],
    ['volume info acac', `GET /volumes/abab${'0'.repeat(28)}`], // A name goes before the beginning of an id.
    ['explain volume web', `GET /v1/explain/volumes/${WEB}`],
    ['history volume web', `GET /v1/history/volumes/${WEB}`],
    ['node disable storage-1', `POST /nodes/${NODE}/state`],
    ['node settags dede rack:1', `POST /nodes/${NODE}/tags`],
    ['device disable storage-1:/dev/sdb', `POST /devices/${DEVICE}/state`],
    ['device delete efef', `DELETE /devices/${DEVICE}`],
  ])('brickyard %s means %s', async (line, request) => {
    await bench.cli(...line.split(' '));
    expect(asked.at(-1)).toBe(request);
  });

  it.each([
    ['volume delete logs', `logs means 2 volumes: ${LOGS} (logs), ${LOGS_ELSEWHERE} (logs)`],
    ['volume delete abab', `abab means 2 volumes: ${WEB} (web), abab${'0'.repeat(28)} (acac)`],
    ['volume delete we', "no volume is called we, and no volume's id begins so"],
    ['node delete storage', "no node is called storage, and no node's id begins so"],
  ])('brickyard %s changes nothing and says: %s', async (line, complaint) => {
    expect(await bench.cli(...line.split(' '))).toMatchObject({ code: EXIT.usage, err: `brickyard: ${complaint}\n` });
    expect(asked.filter((request) => !request.startsWith('GET /v1/overview'))).toEqual([]);
  });

  it('asks nobody when an id is given', async () => {
    await bench.cli('volume', 'delete', WEB);
    expect(asked).toEqual([`DELETE /volumes/${WEB}`]);
  });
});
