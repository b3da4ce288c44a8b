import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostCommand } from '../host-command';
import { isListening } from '../local-socket';
import { glusterCli } from './gluster-cli';
import type { Sign } from './silence-watch';

describe('a health check of glusterd', () => {
  let directory: string;
  let daemon: Server;
  let signs: Sign[];
  let answers: boolean;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'brickyard-silence-'));
    daemon = createServer();
    daemon.listen(join(directory, 'glusterd.socket'));
    await once(daemon, 'listening');
    signs = [];
  });
  afterEach(async () => {
    daemon.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('finds somebody where so many wait already that no more may', async () => {
    daemon.close();
    const full = createServer();
    full.listen({ path: join(directory, 'full.socket'), backlog: 1 });
    await once(full, 'listening');
    // All at once: nobody is let in before this turn of the loop is over.
    const looks = Array.from({ length: 8 }, () => isListening(join(directory, 'full.socket')));
    const found = await Promise.all(looks);
    full.close();
    expect(found).toEqual(looks.map(() => true));
  });

  it('tells silence from absence, and takes what was just answered for a sign of life', async () => {
    const run: HostCommand = (argv) => {
      const out =
        '<?xml version="1.0"?><cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr/><peerStatus/></cliOutput>';
      return Promise.resolve(
        answers ? { argv, exit: 0, out, err: '' } : { argv, exit: 1, out: '', err: 'Error : Request timed out' },
      );
    };
    const socket = join(directory, 'glusterd.socket');
    const gluster = glusterCli({ run, socket, stateDirectory: directory, onSign: (sign) => signs.push(sign) });
    const health: string[] = [];
    for (answers of [false, true, false]) health.push(await gluster.health());
    daemon.close();
    await once(daemon, 'close');
    health.push(await gluster.health());
    expect(health).toEqual(['stopped', 'running', 'running', 'stopped']);
    expect(signs).toEqual(['silent', 'answered', 'answered', 'not listening']);
  });
});
