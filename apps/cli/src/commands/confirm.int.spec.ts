import { EXIT } from '../exit-codes';
import { type CliBench, cliAgainst } from '../testing/cli-against';

/** A server that holds something back, or nothing, and lets go of it when that is confirmed. */
interface Holding {
  held: boolean;
  mode: string;
  /** The mode an import has taken the place of. */
  modeBefore?: string;
}

describe('confirming', () => {
  let bench: CliBench;
  let holding: Holding;
  let posted: string[];

  beforeEach(async () => {
    posted = [];
    holding = { held: false, mode: 'normal' };
    const confirmed: Readonly<Record<string, () => void>> = {
      '/v1/restore/confirm': () => (holding.held = false),
      '/v1/adoptions/confirm': () => (holding.mode = holding.modeBefore ?? holding.mode),
    };
    bench = await cliAgainst(({ method, url = '' }, response) => {
      const path = url.split('?')[0] ?? '';
      response.setHeaders(
        new Map([
          ['x-brickyard-position', '7'],
          ['content-type', 'application/json'],
        ]),
      );
      if (method === 'POST') {
        posted.push(path);
        confirmed[path]?.();
        response.writeHead(204).end();
      } else if (path === '/v1/restore') {
        response.end(JSON.stringify({ held: holding.held, differences: 0, nodes: [] }));
      } else response.end(JSON.stringify({ state: holding.mode }));
    });
  });
  afterEach(() => bench.close());

  const cli = async (...argv: string[]): Promise<{ readonly code: number; readonly told: string }> => {
    const { code, told } = await bench.cli(...argv);
    return { code, told };
  };

  it('a restore that is held goes on once; then there is nothing to confirm', async () => {
    holding.held = true;
    expect(await cli('restore', 'confirm')).toEqual({
      code: EXIT.fine,
      told: 'Confirmed: the allocator asks hosts again.\n',
    });
    expect(await cli('restore', 'confirm')).toEqual({
      code: EXIT.refused,
      told: 'brickyard: nothing to confirm: the log is not held back\n',
    });
    expect(posted).toEqual(['/v1/restore/confirm']);
  });

  it.each([
    ['normal', 'The API takes changes again.\n'],
    ['local-client', 'Confirmed; but the mode is local-client, as somebody set it: SIGUSR2 to any gateway ends it\n'],
  ])('an import ends once with the mode that was before, %s; then there is nothing to confirm', async (mode, told) => {
    holding = { held: false, mode: 'read-only', modeBefore: mode };
    expect(await cli('import', 'confirm')).toEqual({ code: EXIT.fine, told });
    const again = await cli('import', 'confirm');
    expect(again).toMatchObject({ code: EXIT.refused });
    expect(again.told).toMatch(/^brickyard: nothing to confirm: no import holds changes back/);
  });

  it('a mode that somebody set is none that an import can end', async () => {
    holding.mode = 'read-only';
    const { code, told } = await cli('import', 'confirm');
    expect([code, told]).toEqual([EXIT.refused, expect.stringContaining('the mode is read-only')]);
  });

  it.each(['restore', 'import'])('%s confirm changes nothing in the past', async (word) => {
    expect(await cli('--at', '3', word, 'confirm')).toMatchObject({ code: EXIT.usage });
    expect(posted).toEqual([]);
  });
});
