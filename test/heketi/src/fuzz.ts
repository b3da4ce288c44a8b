/** Requests made up from the API's own description: right, nearly right and nonsense. The same seed makes the same ones. */
import type { OpenApiDocument, OpenApiOperation } from '@brickyard/contracts';

/** One request that was made up. */
export interface MadeUp {
  readonly method: string;
  /** As the description spells it. */
  readonly route: string;
  readonly path: string;
  readonly body?: string;
  /** Statuses that the description names. */
  readonly named: ReadonlySet<number>;
}

type Schema = Readonly<Record<string, unknown>>;
type Draw = (below: number) => number;

/** Numbers that look like chance: mulberry32. */
export function drawing(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const TEXTS = [
  '',
  'a',
  '0',
  'online',
  'offline',
  'failed',
  'none',
  'replicate',
  'disperse',
  'set',
  'update',
  'delete',
  'enable',
  '/dev/sdz',
  '../../etc/passwd',
  '$(reboot)',
  '; rm -rf /',
  "' or 1=1 --",
  '\u0000',
  '\ud800',
  'ä€😀',
  ' ',
  '\n',
  '-',
  '--help',
  'user.heketi.device-tag-match a=b=c',
  'user.heketi.zone-checking strict',
  'x'.repeat(300),
  '__proto__',
  'constructor',
];
const NUMBERS = [0, 1, 2, 3, 4, 8, -1, 1.5, 1e308, 2 ** 31, 2 ** 53, -(2 ** 53), 100_000];
const QUERIES = [
  '',
  '',
  '',
  '',
  '?at=1',
  '?at=0',
  '?at=soon',
  '?at=9999999999',
  '?after=1',
  '?after=-1',
  '?at=1&at=2',
  '?x=%00',
];
const WHOLE = [
  '',
  '{',
  '[]',
  'null',
  '"x"',
  '1',
  '{"a":',
  '{"size":{"size":{}}}',
  '\u0000',
  `{"a":${'['.repeat(500)}${']'.repeat(500)}}`,
];

/** What a fuzzing run knows: ids that exist make requests that reach further. */
export interface Known {
  readonly ids: readonly string[];
}

/** Changes the mode or waits on purpose: a run after it would mean nothing. */
const LEFT_OUT: ReadonlySet<string> = new Set(['post /admin', 'get /queue/{id}']);

/** An answer that never ends says so by its type; nobody waits for that. */
const isEndless = ({ responses }: OpenApiOperation): boolean =>
  Object.values(responses).some(({ content = {} }) => 'text/event-stream' in content);

/** Makes up one request. */
export function makeUp(document: OpenApiDocument, { ids }: Known, draw: Draw): MadeUp {
  const routes = Object.entries(document.paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ route, method, operation })),
  );
  const usable = routes.filter(
    ({ route, method, operation }) => !LEFT_OUT.has(`${method} ${route}`) && !isEndless(operation),
  );
  const { route, method, operation } = pick(usable, draw);
  const id = pick([...ids, 'ab'.repeat(16), 'AB', 'zz', '0', 'a'.repeat(200), '%2e%2e'], draw);
  const path = route.replace(/\{\w+\}/, id) + (method === 'get' ? pick(QUERIES, draw) : '');
  const named = new Set(Object.keys(operation.responses).map(Number));
  const schema = operation.requestBody?.content['application/json'].schema;
  const made = { method: method.toUpperCase(), route, path, named };
  if (schema === undefined) return draw(4) === 0 ? { ...made, body: pick(WHOLE, draw) } : made;
  return { ...made, body: draw(5) === 0 ? pick(WHOLE, draw) : JSON.stringify(valueFor(schema, ids, draw)) };
}

function pick<T>(things: readonly T[], draw: Draw): T {
  const thing = things[draw(things.length)];
  if (thing === undefined) throw new RangeError('nothing to pick from');
  return thing;
}

/** Mostly of the right type: what is wrong at once reaches no check behind the first. */
function valueFor(schema: Schema, ids: readonly string[], draw: Draw): unknown {
  if (draw(12) === 0) return pick<unknown>([null, true, 'x', 1, [], {}, [null], { a: {} }], draw);
  switch (schema['type']) {
    case 'object':
      return objectFor(schema, ids, draw);
    case 'array':
      return Array.from({ length: draw(4) }, () => valueFor((schema['items'] ?? {}) as Schema, ids, draw));
    case 'integer':
    case 'number':
      return draw(3) === 0 ? pick(NUMBERS, draw) : draw(20);
    case 'boolean':
      return draw(2) === 0;
    default:
      return draw(3) === 0 && ids.length > 0 ? pick(ids, draw) : pick(TEXTS, draw);
  }
}

function objectFor(schema: Schema, ids: readonly string[], draw: Draw): unknown {
  const properties = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>);
  const fields = properties
    .filter(() => draw(4) > 0)
    .map(([name, one]) => [spelt(name, draw), valueFor(one, ids, draw)]);
  const extra = schema['additionalProperties'];
  const free =
    typeof extra === 'object' ? Array.from({ length: draw(4) }, () => [pick(TEXTS, draw), pick(TEXTS, draw)]) : [];
  return Object.fromEntries([...fields, ...free]) as unknown;
}

const spelt = (name: string, draw: Draw): string => (draw(10) === 0 ? name.toUpperCase() : name);
