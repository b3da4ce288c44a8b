/** What all lists have in common. */
import { encode } from '../auth/signature';
import type { Exchange } from '../http/exchange';
import type { Node } from '../http/xml';
import { S3Error } from '../s3-error';

const PAGE_MAX = 1_000;

/** Everything here belongs to whoever runs the gateway. */
export const OWNER: readonly Node[] = [
  ['ID', 'brickyard'],
  ['DisplayName', 'brickyard'],
];

/** How many entries a page has; more than a thousand are never given. */
export const limitOf = (exchange: Exchange, name: string): number =>
  Math.min(countOf(exchange, name, PAGE_MAX), PAGE_MAX);

/** A number of the query from 0 on; the fallback when it is not there. Rejects `InvalidArgument`. */
export function countOf(exchange: Exchange, name: string, fallback: number): number {
  const text = exchange.query(name);
  if (text === undefined || text === '') return fallback;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new S3Error('InvalidArgument', `${name} is a number from 0 on.`, {
    fields: { ArgumentName: name, ArgumentValue: text },
  });
}

/** How names are written in a list: as they are, or escaped when the client asks for that. */
export function encodedFor(exchange: Exchange): (text: string) => string {
  const type = exchange.query('encoding-type');
  if (type === undefined || type === '') return (text) => text;
  if (type === 'url') return (text) => text.split('/').map(encode).join('/');
  throw new S3Error('InvalidArgument', 'encoding-type is url or not there.');
}
