/** The single writer of the registry's ledger: the domain's decisions, as the log wants them. */
import type { RegistryCommand, RegistryRejection } from '@brickyard/contracts';
import type { JsonObject } from '@brickyard/event-sourcing';
import type { Decided, DecisionContext, LedgerWriter } from '@brickyard/event-sourcing/postgres';
import { decideRegistry, newRegistryEvent, type RegistryState } from '@brickyard/domain/registry';

export const REGISTRY_LEDGER = 'registry';

/** What is remembered of a command: its answer without the position. */
export type StoredReply = JsonObject &
  (
    | { readonly kind: 'accepted'; readonly file?: string; readonly count?: number }
    | { readonly kind: 'rejected'; readonly rejection: RegistryRejection }
  );

export type RegistryWriter = LedgerWriter<RegistryState, RegistryCommand, StoredReply>;

/** The domain's decision with its answer. */
export function decideForLog(
  command: RegistryCommand,
  state: RegistryState,
  { now, position }: DecisionContext,
): Decided<StoredReply> {
  const decision = decideRegistry(command, state, { now, position });
  if (decision.kind === 'rejected') return { events: [], reply: { kind: 'rejected', rejection: decision.rejection } };
  const file = fileAfter(command, state);
  const events = decision.events.map(newRegistryEvent);
  return { events, reply: { kind: 'accepted', count: events.length, ...(file === undefined ? {} : { file }) } };
}

/** Where the bytes are once the command is in the log: in a file that was there before, or in the one it brought. */
function fileAfter(command: RegistryCommand, state: RegistryState): string | undefined {
  if (command.type !== 'LinkBlob' && command.type !== 'PushManifest') return undefined;
  const blob = state.blobs.get(command.digest);
  return blob === undefined || blob.finding !== undefined || blob.file === command.bad ? command.file : blob.file;
}
