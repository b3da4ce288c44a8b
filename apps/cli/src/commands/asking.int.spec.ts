import { openApiDocument } from '@brickyard/contracts';
import { EXIT } from '../exit-codes';
import { type CliBench, cliAgainst } from '../testing/cli-against';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly query: URLSearchParams;
}

const ID = 'a'.repeat(32);
const DESCRIBED = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
);
const ROUTES = DESCRIBED.map((route) => new RegExp(`^${route.replaceAll(/\{\w+\}/g, '[^/]+')}$`));

describe('what commands ask of the API', () => {
  let bench: CliBench;
  let asked: Asked[];
  /** Connections that break before one is answered. */
  let breaks: number;

  beforeEach(async () => {
    asked = [];
    breaks = 0;
    bench = await cliAgainst((request, response) => {
      const { method = '', url: target = '', headers } = request;
      const { pathname: path, searchParams: query } = new URL(target, 'http://brickyard');
      asked.push({ method, path, key: headers['idempotency-key'] as string | undefined, query });
      if (asked.length <= breaks) response.destroy();
      else if (method === 'GET') response.writeHead(404).end('Id not found\n');
      else response.writeHead(204).end();
    });
  });
  afterEach(() => bench.close());

  const cli = async (...argv: string[]): Promise<{ readonly code: number; readonly err: string }> => {
    const { code, err } = await bench.cli(...argv);
    return { code, err };
  };

  it.each([
    'cluster list',
    `cluster info ${ID}`,
    'cluster create',
    `cluster setflags ${ID} --file=true`,
    `cluster delete ${ID}`,
    'node list',
    `node info ${ID}`,
    `node add --zone 1 --cluster ${ID} --management-host-name m --storage-host-name s`,
    `node disable ${ID}`,
    `node settags ${ID} a:b`,
    `node delete ${ID}`,
    `device info ${ID}`,
    `device add --name /dev/sdb --node ${ID}`,
    `device remove ${ID}`,
    `device resync ${ID}`,
    `device rmtags ${ID} a`,
    `device delete ${ID}`,
    'volume list',
    `volume info ${ID}`,
    'volume create --size 1',
    `volume expand ${ID} --size 1`,
    `volume clone ${ID}`,
    `volume set-block-hosting-restriction locked ${ID}`,
    `volume delete ${ID}`,
    'blockvolume list',
    `blockvolume info ${ID}`,
    'blockvolume create --size 1',
    `blockvolume expand ${ID} --new-size 2`,
    `blockvolume delete ${ID}`,
    `brick evict ${ID}`,
    'server mode get',
    'server mode set normal',
    'server operations info',
    'server operations list',
    `server operations info ${ID}`,
    'server operations cleanup',
    'server state examine gluster',
    'db dump',
    'db check',
    'loglevel get',
    'loglevel set info',
    'operation list',
    `operation info ${ID}`,
    `history volume ${ID}`,
    `history brick ${ID}`,
    'history actor admin',
    `explain volume ${ID}`,
    `explain operation ${ID}`,
    `explain refusal ${ID}`,
    'events',
    'diff 1 2',
    'status',
    'topology info',
    'what-if fill --size 1',
    'drift list',
    `drift info ${ID}`,
    `drift restore ${ID}`,
    `drift accept ${ID}`,
    'restore status',
    'restore confirm',
    'import confirm',
    'rebuild h1',
    'adopt h1',
  ])('brickyard %s asks for what there is', async (line) => {
    await cli(...line.split(' '));
    expect(asked.length).toBeGreaterThan(0);
    const requests = asked.map(({ method, path }) => `${method} ${path}`);
    expect(requests.filter((request) => !ROUTES.some((route) => route.test(request)))).toEqual([]);
  });

  it.each([
    `volume delete ${ID}`,
    `volume delete ${ID} --wait=false`,
    `brick evict ${ID}`,
    `node disable ${ID}`,
    `device delete ${ID}`,
  ])('brickyard %s asks once more when the connection breaks, as the same request', async (line) => {
    breaks = 1;
    expect(await cli(...line.split(' '))).toEqual({ code: EXIT.fine, err: '' });
    expect(asked).toHaveLength(2);
    expect(asked[0]?.key).toMatch(/^[\da-f-]{36}$/);
    expect(asked[1]).toEqual(asked[0]);
  });

  it.each([
    ['VolumeDeleted,NodeLost', ''],
    ['VolumeDelted', 'no event that is known here has the type VolumeDelted; did you mean VolumeDeleted?\n'],
    ['volumedeleted,NodeLost', 'no event that is known here has the type volumedeleted; did you mean VolumeDeleted?\n'],
    ['NodeXst', 'no event that is known here has the type NodeXst; did you mean NodeLost?\n'],
    ['Qwertyuiop', 'no event that is known here has the type Qwertyuiop\n'],
  ])('is asked for events of the types %s all the same, which a later release may know', async (types, warning) => {
    const { err } = await cli('events', '--type', types);
    expect(err).toBe(`${warning}brickyard: Id not found\n`);
    expect(asked.map(({ query }) => query.get('type'))).toEqual([types]);
  });

  it('is asked for events between times as people write them', async () => {
    await cli('events', '--from', '2026-01-31', '--to', '2026-01-31 03:15');
    const times = ['from', 'to'].map((name) => asked[0]?.query.get(name));
    expect(times).toEqual(['2026-01-31T00:00:00.000Z', '2026-01-31T03:15:00.000Z']);
    expect(await cli('events', '--from', 'soon')).toMatchObject({ code: EXIT.usage });
  });
});
