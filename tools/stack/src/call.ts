/** `node tools/run.mjs stack/call GET /clusters`: signs and sends one request, follows the queue, prints the answer. */
import { parseArgs } from 'node:util';
import { type ApiClient, type ApiAnswer, ApiError } from '@brickyard/service-host';
import { dataDirOf } from './default-data';
import { findSystem } from './running-system';

const USAGE = 'usage: node tools/run.mjs stack/call GET|POST|DELETE /path [JSON body] [--user admin|user] [--data DIR]';

class WrongUse extends Error {}

async function main(): Promise<void> {
  const { method, path, body, user, data } = argumentsOrExit();
  const client = findSystem(dataDirOf(data)).client(user);
  try {
    const answer = await send(client, method, path, body);
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body, undefined, 2);
    process.stdout.write(answer.body === undefined ? `${String(answer.status)}\n` : `${text}\n`);
  } finally {
    client.close();
  }
}

function send(client: ApiClient, method: string, path: string, body: string | undefined): Promise<ApiAnswer> {
  if (method === 'GET') return client.get(path);
  if (method === 'DELETE') return client.delete(path);
  return client.post(path, body === undefined ? undefined : JSON.parse(body));
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly user: 'admin' | 'user';
  readonly data: string | undefined;
}

function argumentsOrExit(): Call {
  const options = { data: { type: 'string' }, user: { type: 'string', default: 'admin' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [method = '', path = '', body, ...rest] = positionals;
  const isKnown = ['GET', 'POST', 'DELETE'].includes(method) && path.startsWith('/') && rest.length === 0;
  if (!isKnown || (values.user !== 'admin' && values.user !== 'user')) throw new WrongUse(USAGE);
  return { method, path, body, user: values.user, data: values.data };
}

main().catch((error: unknown) => {
  const status = error instanceof ApiError ? `${String(error.status)}: ` : '';
  process.stderr.write(`${status}${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof WrongUse ? 2 : 1);
});
