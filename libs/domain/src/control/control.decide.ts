/** Every decision of the control ledger: a command and the state give facts, or the reason why not. */
import type { ControlCommand, ControlEvent, OperationId, Rejection } from '@brickyard/contracts';
import { dispatch, type Decision, type NewEvent, type Recorded } from '@brickyard/event-sourcing';
import { adoptCluster, adoptDevice, adoptNode, adoptVolume } from '../adoption/adoption-commands';
import { createBlockVolume, deleteBlockVolume, expandBlockVolume } from '../block/block-volume-commands';
import { evictBrick } from '../evacuation/evacuation-commands';
import { acceptDrift, recordDrift, restoreDrift } from '../drift/drift-commands';
import { advance } from '../operation/advance';
import {
  cleanUp,
  declareNodeLost,
  declareNodeReturned,
  recordOutcome,
  retryStepNow,
} from '../operation/operation-commands';
import { confirmRestore, heldBack, releaseLog } from '../restore/restore-commands';
import { createCluster, removeCluster, setClusterFlags } from './cluster-commands';
import { eventAsRead, newEvent } from './control.codec';
import { evolve } from './control.evolve';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';
import { addDevice, removeDevice, resyncDevice, setDeviceState } from './device-commands';
import { addNode, removeNode, setNodeState } from './node-commands';
import { setAdminMode } from './system-commands';
import { changeDeviceTags, changeNodeTags } from './tag-commands';
import { cloneVolume } from './clone-volume';
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
  EvictBrick: evictBrick,
  CreateVolume: createVolume,
  ExpandVolume: expandVolume,
  DeleteVolume: deleteVolume,
  CloneVolume: cloneVolume,
  SetBlockRestriction: setBlockRestriction,
  CreateBlockVolume: createBlockVolume,
  ExpandBlockVolume: expandBlockVolume,
  DeleteBlockVolume: deleteBlockVolume,
  SetAdminMode: setAdminMode,
  CleanUp: cleanUp,
  AcceptDrift: acceptDrift,
  RestoreDrift: restoreDrift,
  AdoptCluster: adoptCluster,
  AdoptNode: adoptNode,
  AdoptDevice: adoptDevice,
  AdoptVolume: adoptVolume,
  ConfirmRestore: confirmRestore,
  ReleaseLog: releaseLog,
  RecordOutcome: recordOutcome,
  DeclareNodeLost: declareNodeLost,
  DeclareNodeReturned: declareNodeReturned,
  RetryStep: retryStepNow,
  RecordDrift: recordDrift,
});

/** Where the next event will stand, and when: inputs, so that the same decision can be made again. */
export interface DecisionContext {
  /** The head of the log the decision builds on. */
  readonly position: number;
  /** UTC, ISO 8601. */
  readonly now: string;
}

/** A decision with the facts as the log takes them, and the state after them: folded once, as any reader folds them. */
export type StoredDecision =
  | { readonly kind: 'accepted'; readonly events: readonly NewEvent[]; readonly state: ControlState }
  | Extract<Decision<never, Rejection>, { kind: 'rejected' }>;

/** A fact in the form that is wanted of it, and as it is folded. */
interface Prepared<Fact> {
  readonly fact: Fact;
  readonly event: ControlEvent;
}

const asItIs = (event: ControlEvent): Prepared<ControlEvent> => ({ fact: event, event });

function forLog(event: ControlEvent): Prepared<NewEvent> {
  const fact = newEvent(event);
  return { fact, event: eventAsRead(event, fact) };
}

/** The operations that events are about; evacuations look again after every fact, since any may free a volume for them. */
function touchedBy(events: readonly ControlEvent[], state: ControlState): ReadonlySet<OperationId> {
  const touched = new Set(events.flatMap((event) => ('operationId' in event ? [event.operationId] : [])));
  if (touched.size > 0) for (const operationId of state.evacuations.keys()) touched.add(operationId);
  return touched;
}

interface Outcome<Fact> {
  readonly facts: readonly Fact[];
  readonly state: ControlState;
}

/** Folds facts one by one at the positions they will have, and lets every operation they touch take its next steps. */
function followed<Fact>(
  decided: readonly ControlEvent[],
  state: ControlState,
  { position, now }: DecisionContext,
  prepare: (event: ControlEvent) => Prepared<Fact>,
): Outcome<Fact> {
  const facts: Fact[] = [];
  let next = state;
  const record = (events: readonly ControlEvent[]): void => {
    for (const event of events) {
      const prepared = prepare(event);
      facts.push(prepared.fact);
      const recorded: Recorded<ControlEvent> = { position: position + facts.length, at: now, event: prepared.event };
      next = evolve(next, recorded);
    }
  };
  record(decided);
  for (let events = decided; events.length > 0;) {
    const following: ControlEvent[] = [];
    // One after the other: what one operation takes, the next must find taken.
    for (const operationId of touchedBy(events, next)) {
      const operation = next.operations.get(operationId);
      const steps = operation === undefined ? [] : advance(operation, next);
      record(steps);
      for (const step of steps) following.push(step);
    }
    events = following;
  }
  return { facts, state: next };
}

/**
 * Decides a command and lets every operation it touched take its next steps, so that one commit holds the decision
 * and the intents that follow from it. An operation whose next step waits for an agent stops there.
 */
export function decide(
  command: ControlCommand,
  state: ControlState,
  context: DecisionContext,
): Decision<ControlEvent, Rejection> {
  const decision = heldBack(command, state) ?? decideCommand(command, state);
  if (decision.kind === 'rejected') return decision;
  return { kind: 'accepted', events: followed(decision.events, state, context, asItIs).facts };
}

/** The same, for the writer of the log: the state after the decision need not be folded a second time. */
export function decideForLog(command: ControlCommand, state: ControlState, context: DecisionContext): StoredDecision {
  const decision = heldBack(command, state) ?? decideCommand(command, state);
  if (decision.kind === 'rejected') return decision;
  const { facts, state: next } = followed(decision.events, state, context, forLog);
  return { kind: 'accepted', events: facts, state: next };
}
