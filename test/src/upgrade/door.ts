/**
 * What stands before several gateways on a real site: one address, and behind it one of them for as long as it is there, since
 * a client finds what it has just made where it made it. A request that nobody has begun to answer is sent to the next one, as nginx does with `proxy_next_upstream error non_idempotent`; requests that
 * change something carry an `Idempotency-Key`, so that this is safe.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A door that is open. */
export interface Door {
  readonly url: string;
  /** How often a request had to be sent to another gateway. */
  readonly passedOn: () => number;
  close(): Promise<void>;
}

/** Opens one before these ports of this machine. */
export async function openDoor(ports: readonly number[]): Promise<Door> {
  let current = 0;
  let passedOn = 0;
  const server = createServer((incoming, response) => {
    void bodyOf(incoming).then(async (body) => {
      const first = current;
      const reasons: string[] = [];
      for (let tried = 0; tried < ports.length; tried += 1) {
        const one = (first + tried) % ports.length;
        const trouble = await forward(incoming, body, ports[one] ?? 0, response);
        if (trouble === undefined) return;
        reasons.push(trouble.message);
        passedOn += 1;
        if (current === one) current = (one + 1) % ports.length;
      }
      response.writeHead(502).end(`no gateway answers: ${reasons.join('; ')}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    passedOn: () => passedOn,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Gives what is wrong when the gateway is not there, or hangs up before it says anything. */
function forward(
  { method, url: path, headers }: IncomingMessage,
  body: Buffer,
  port: number,
  response: ServerResponse,
): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once('error', () => response.destroy()); // Half an answer is a failure that the client shall see.
      resolve(undefined);
    });
    outgoing.once('error', resolve);
    outgoing.end(body);
  });
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
