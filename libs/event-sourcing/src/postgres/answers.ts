import type { ClientBase } from 'pg';
import type { JsonValue } from '../canonical-json';
import { RAW } from './event-rows';
import type { RecordedAnswer } from './types';

/** The answers recorded for those of the command ids that had an effect. */
export async function findAnswers(
  client: ClientBase,
  ledger: string,
  commandIds: readonly string[],
): Promise<ReadonlyMap<string, RecordedAnswer>> {
  const result = await client.query<[string, string, string]>({
    name: 'find-answers',
    text: 'SELECT command_id, result, position FROM es.commands WHERE ledger = $1 AND command_id = ANY ($2)',
    values: [ledger, commandIds],
    rowMode: 'array',
    types: RAW,
  });
  return new Map(
    result.rows.map(([commandId, reply, position]) => [
      commandId,
      { reply: JSON.parse(reply) as JsonValue, position: Number(position) },
    ]),
  );
}
