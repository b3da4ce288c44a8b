/** Who did what between two positions: the events of the things that changed. */
import { ApiError } from '@brickyard/service-host/client';
import { openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { History } from '../answers';
import type { Context } from '../context';
import { each } from './api-picture';
import type { Change } from './picture';

/** What was done to each thing, by stream, in order. */
export type Authors = ReadonlyMap<string, readonly string[]>;

const ID = /\b[0-9a-f]{32}\b/g;

/** Who an event names as its cause. */
interface Who {
  readonly name: string;
  readonly role?: string | undefined;
  readonly address?: string | undefined;
  readonly onBehalfOf?: string | undefined;
}

/** An actor in one line. */
export function actorText({ name, role, address, onBehalfOf }: Who): string {
  const more = [role === name ? undefined : role, address].filter((text) => text !== undefined).join(' ');
  return `${name}${more === '' ? '' : ` (${more})`}${onBehalfOf === undefined ? '' : ` for ${onBehalfOf}`}`;
}

/** Reads what was done to things after one position and up to another. */
export function authorsOf(
  context: Context,
  pgUrl: string | undefined,
  changes: readonly Change[],
  from: number,
  to: number,
): Promise<Authors> {
  return pgUrl === undefined ? authorsFromApi(context, changes, from, to) : authorsFromPostgres(pgUrl, from, to);
}

/** What was done to a thing, or to those its changed fields speak of: a device fills up because of a volume. */
export function whoIn({ kind, id, fields, what }: Change, authors: Authors): readonly string[] {
  const own = authors.get(`${kind}-${id}`) ?? [];
  if (own.length > 0 || what !== 'changed') return own;
  const ids = new Set(
    fields.flatMap(({ before = '', after = '' }) => [...`${before} ${after}`.matchAll(ID)].map(([text]) => text)),
  );
  return [...ids].flatMap((other) =>
    ['volume', 'node', 'device'].flatMap((otherKind) => {
      const deeds = authors.get(`${otherKind}-${other}`) ?? [];
      return deeds.map((deed) => `${deed}, of ${otherKind} ${other}`);
    }),
  );
}

const deedText = (actor: Who, type: string, position: number): string =>
  `${actorText(actor)}: ${type} at ${String(position)}`;

async function authorsFromPostgres(url: string, after: number, upTo: number): Promise<Authors> {
  const reader = openLedgerReader({ url, ledger: 'control', connectionsMax: 2 });
  const authors = new Map<string, string[]>();
  try {
    for await (const events of reader.read({ after, upTo })) {
      for (const { streamId, type, position, metadata } of events) {
        if (streamId.startsWith('operation-')) continue;
        const deed = deedText(metadata.actor, type, position);
        authors.set(streamId, [...(authors.get(streamId) ?? []), deed]);
      }
    }
    return authors;
  } finally {
    await reader.close();
  }
}

async function authorsFromApi(
  context: Context,
  changes: readonly Change[],
  from: number,
  to: number,
): Promise<Authors> {
  const deeds = await each(changes, async ({ kind, id }) => {
    const { events } = await context
      .get(`/v1/history/${kind}s/${id}?limit=10000`, History, String(to))
      .catch(noHistory);
    const stream = `${kind}-${id}`;
    const own = events.filter((event) => event.stream === stream && event.position > from);
    return [stream, own.map(({ actor, type, position }) => deedText(actor, type, position))] as const;
  });
  return new Map(deeds);
}

function noHistory(error: unknown): { events: [] } {
  if (error instanceof ApiError && error.status === 404) return { events: [] };
  throw error;
}
