/** Every decision of the control ledger: a command and the state give facts, or the reason why not. */
import type { ControlCommand, ControlEvent, OperationId, Rejection } from '@brickyard/contracts';
import { dispatch, type Decision, type Recorded } from '@brickyard/event-sourcing';
import { advance } from '../operation/advance';
import {
  cleanUp,
  declareNodeLost,
  declareNodeReturned,
  recordOutcome,
  retryStepNow,
} from '../operation/operation-commands';
import { createCluster, removeCluster, setClusterFlags } from './cluster-commands';
import { evolve } from './control.evolve';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';
import { addDevice, removeDevice, resyncDevice, setDeviceState } from './device-commands';
import { addNode, removeNode, setNodeState } from './node-commands';
import { setAdminMode } from './system-commands';
import { changeDeviceTags, changeNodeTags } from './tag-commands';
import { createVolume, deleteVolume, expandVolume, setBlockRestriction } from './volume-commands';

/** A new command without its decision does not compile. */
const decideCommand: (command: ControlCommand, state: ControlState) => ControlDecision = dispatch<
  ControlCommand,
  [ControlState],
  ControlDecision
>({
  CreateCluster: createCluster,
  SetClusterFlags: setClusterFlags,
  RemoveCluster: removeCluster,
  AddNode: addNode,
  RemoveNode: removeNode,
  SetNodeState: setNodeState,
  ChangeNodeTags: changeNodeTags,
  AddDevice: addDevice,
  RemoveDevice: removeDevice,
  SetDeviceState: setDeviceState,
  ChangeDeviceTags: changeDeviceTags,
  ResyncDevice: resyncDevice,
  CreateVolume: createVolume,
  ExpandVolume: expandVolume,
  DeleteVolume: deleteVolume,
  SetBlockRestriction: setBlockRestriction,
  SetAdminMode: setAdminMode,
  CleanUp: cleanUp,
  RecordOutcome: recordOutcome,
  DeclareNodeLost: declareNodeLost,
  DeclareNodeReturned: declareNodeReturned,
  RetryStep: retryStepNow,
});

/** Where the next event will stand, and when: inputs, so that the same decision can be made again. */
export interface DecisionContext {
  /** The head of the log the decision builds on. */
  readonly position: number;
  /** UTC, ISO 8601. */
  readonly now: string;
}

/** Events folded one by one at the positions they will have. */
function folded(
  state: ControlState,
  events: readonly ControlEvent[],
  from: number,
  { position, now }: DecisionContext,
): ControlState {
  return events.reduce<ControlState>((next, event, index) => {
    const recorded: Recorded<ControlEvent> = { position: position + from + index + 1, at: now, event };
    return evolve(next, recorded);
  }, state);
}

const touchedBy = (events: readonly ControlEvent[]): ReadonlySet<OperationId> =>
  new Set(events.flatMap((event) => ('operationId' in event ? [event.operationId] : [])));

/**
 * Decides a command and lets every operation it touched take its next steps, so that one commit holds the decision
 * and the intents that follow from it. An operation whose next step waits for an agent stops there.
 */
export function decide(
  command: ControlCommand,
  state: ControlState,
  context: DecisionContext,
): Decision<ControlEvent, Rejection> {
  const decision = decideCommand(command, state);
  if (decision.kind === 'rejected') return decision;
  const events = [...decision.events];
  let next = folded(state, events, 0, context);
  let touched = touchedBy(events);
  while (touched.size > 0) {
    const following = [...touched].flatMap((operationId) => {
      const operation = next.operations.get(operationId);
      return operation === undefined ? [] : advance(operation, next);
    });
    next = folded(next, following, events.length, context);
    events.push(...following);
    touched = touchedBy(following);
  }
  return { kind: 'accepted', events };
}
