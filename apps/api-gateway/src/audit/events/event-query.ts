/** What a request for events asks for: parameters of the query, and the same as a test of one event. Pure. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { EventFilter } from '@brickyard/event-sourcing/postgres';
import { badRequest } from '../../heketi/text-error';

/** The query of a request as Fastify parses it. */
export type Query = Readonly<Record<string, unknown>>;

const STREAM = /^[a-z]+-[0-9a-z-]{1,80}$/;
const TYPE = /^[A-Za-z]{1,80}$/;
const ID = /^[0-9a-f]{32}$/;
const TYPES_MAX = 50;
const TEXT_MAX = 255;

/** One parameter; throws 400 when it is there more than once. */
export function parameterOf(query: Query, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value;
  throw badRequest(`query parameter ${name} is given more than once`);
}

/** A whole number in a range, or its default. */
export function numberOf(query: Query, name: string, absent: number, max: number): number {
  const text = parameterOf(query, name);
  if (text === undefined) return absent;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= max) return number;
  throw badRequest(`query parameter ${name} must be a whole number from 1 to ${String(max)}`);
}

/** Which events are wanted. */
export function filterFrom(query: Query): EventFilter {
  const stream = parameterOf(query, 'stream');
  const types = parameterOf(query, 'type')?.split(',');
  const actor = parameterOf(query, 'actor');
  const address = parameterOf(query, 'address');
  const operation = parameterOf(query, 'operation');
  const mentions = parameterOf(query, 'mentions');
  check('stream', stream, (text) => STREAM.test(text), 'a kind and an id, such as volume-0123…');
  check('type', types?.join(','), () => types !== undefined && areTypes(types), 'event types separated by commas');
  check('actor', actor, isShort, `a name of at most ${String(TEXT_MAX)} characters`);
  check('address', address, isShort, 'an address');
  check('operation', operation, (text) => ID.test(text), 'the id of an operation');
  check('mentions', mentions, (text) => ID.test(text), 'an id');
  return {
    ...(stream === undefined ? {} : { streamId: stream }),
    ...(types === undefined ? {} : { types }),
    ...(actor === undefined ? {} : { actor }),
    ...(address === undefined ? {} : { address }),
    ...(operation === undefined ? {} : { field: { name: 'operationId', value: operation } }),
    ...(mentions === undefined ? {} : { mentions }),
  };
}

const isShort = (text: string): boolean => text.length > 0 && text.length <= TEXT_MAX;
const areTypes = (types: readonly string[]): boolean =>
  types.length <= TYPES_MAX && types.every((type) => TYPE.test(type));

function check(name: string, value: string | undefined, isGood: (value: string) => boolean, wanted: string): void {
  if (value !== undefined && !isGood(value)) throw badRequest(`query parameter ${name} must be ${wanted}`);
}

/** Whether an event passes a filter: what Postgres does in a search, done here for those who follow. */
export function passes({ streamId, types, actor, address, field, mentions }: EventFilter, event: StoredEvent): boolean {
  const by = event.metadata.actor;
  return (
    (streamId === undefined || event.streamId === streamId) &&
    (types === undefined || types.includes(event.type)) &&
    (actor === undefined || by.name === actor || by.onBehalfOf === actor) &&
    (address === undefined || by.address === address) &&
    (field === undefined || event.data[field.name] === field.value) &&
    (mentions === undefined || JSON.stringify(event.data).includes(mentions))
  );
}

/** Whether a filter lets everything through. */
export const isOpen = (filter: EventFilter): boolean => Object.keys(filter).length === 0;
