/** The command line against a server that a spec makes up. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runCli } from '../cli';

/** What a command ended with. */
export interface Ended {
  readonly code: number;
  /** What it printed and what it complained of, as they came. */
  readonly told: string;
  readonly err: string;
}

/** A server that answers by the listener until it is closed. */
export interface CliBench {
  cli(...argv: readonly string[]): Promise<Ended>;
  close(): Promise<void>;
}

/** Starts the server, on a port of the system's choice. */
export async function cliAgainst(answer: RequestListener): Promise<CliBench> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    async cli(...argv) {
      let [told, err] = ['', ''];
      const out = (text: string): unknown => (told += text);
      const complain = (text: string): unknown => {
        err += text;
        return out(text);
      };
      const code = await runCli(['--server', url, ...argv], { env: {}, out, err: complain });
      return { code, told, err };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
