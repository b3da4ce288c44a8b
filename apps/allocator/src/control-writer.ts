/** The single writer of the control ledger, as the allocator's parts see it. */
import type { CommandReply, ControlCommand } from '@brickyard/contracts';
import { decideForLog as decide, evolveStored, type ControlState } from '@brickyard/domain';
import type { JsonObject, StoredEvent } from '@brickyard/event-sourcing';
import type { Decided, DecisionContext, LedgerWriter } from '@brickyard/event-sourcing/postgres';
import { assertFoldable } from './later-release';

/** What is remembered of a command: its answer without what differs from one asking to the next. */
export type StoredReply = JsonObject &
  (
    | Omit<Extract<CommandReply, { kind: 'accepted' }>, 'position' | 'repeated'>
    | Omit<Extract<CommandReply, { kind: 'rejected' }>, 'position'>
  );

export type ControlWriter = LedgerWriter<ControlState, ControlCommand, StoredReply>;

const CHOSEN_IDS = ['operationId', 'clusterId', 'nodeId', 'deviceId', 'volumeId'] as const;

/** The ids the caller chose, told back so that a repeat learns the first ones. */
function idsOf(command: ControlCommand): Record<string, string> {
  const fields: Readonly<Record<string, unknown>> = command;
  return Object.fromEntries(
    CHOSEN_IDS.flatMap((name) => {
      const id = fields[name];
      return typeof id === 'string' ? [[name, id] as const] : [];
    }),
  );
}

/** The domain's decision, as the log wants it. */
export function decideForLog(
  command: ControlCommand,
  state: ControlState,
  { now, position }: DecisionContext,
): Decided<StoredReply, ControlState> {
  const decision = decide(command, state, { now, position });
  if (decision.kind === 'rejected') {
    return { events: [], reply: { kind: 'rejected', rejection: decision.rejection } };
  }
  const { events, state: next } = decision;
  return { events, state: next, reply: { kind: 'accepted', ids: idsOf(command) } };
}

/** The state after one more event; stops at one of a later release. */
export function evolveForLog(state: ControlState, event: StoredEvent): ControlState {
  assertFoldable(event);
  return evolveStored(state, event);
}
