/** Decisions about differences between log and hosts. */
import type { CommandOf, ControlEvent, DriftFinding, DriftId, Rejection } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState } from '../control/control.state';
import type { ControlDecision } from '../control/decisions.types';
import type { Drift } from './drift.state';
import { driftsWithoutSubject } from './judge-host';
import { proposalsFor, type Proposal } from './reconcile';

/** The operation at work on what a difference is about; its own changes are no drift. */
function operationAt(finding: DriftFinding, state: ControlState): string | undefined {
  const { subject } = finding;
  if ('volumeId' in subject) return state.volumes.get(subject.volumeId)?.operationId;
  if ('deviceId' in subject) return state.devices.get(subject.deviceId)?.operationId;
  return 'nodeId' in subject ? state.nodes.get(subject.nodeId)?.operationId : undefined;
}

const isNews = (finding: DriftFinding, known: Drift | undefined): boolean =>
  known?.expected !== finding.expected || known.found !== finding.found;

/** Tells a difference once, again when it has become another one, and its end. */
export function recordDrift({ observed, resolved }: CommandOf<'RecordDrift'>, state: ControlState): ControlDecision {
  const seen = observed.filter((finding) => {
    const known = state.drift.get(finding.driftId);
    const isBeingSettled = known?.operationId !== undefined || operationAt(finding, state) !== undefined;
    return !isBeingSettled && isNews(finding, known);
  });
  const gone = driftsWithoutSubject(state);
  const over = (driftId: DriftId, reason: 'agrees' | 'gone'): ControlEvent[] => {
    const drift = state.drift.get(driftId);
    if (drift === undefined || drift.operationId !== undefined) return [];
    return [{ type: 'DriftResolved', version: 1, driftId, class: drift.class, subject: drift.subject, reason }];
  };
  const agreeing = resolved.filter((driftId) => !gone.includes(driftId));
  return accepted<ControlEvent>(
    ...gone.flatMap((driftId) => over(driftId, 'gone')),
    ...agreeing.flatMap((driftId) => over(driftId, 'agrees')),
    ...seen.map((finding) => ({ type: 'DriftObserved', version: 1, ...finding }) as const),
  );
}

/** What the log keeps of a difference: what was found, without what happened since. */
const findingOf = ({ driftId, class: kind, clusterId, subject, expected, found, nodeIds }: Drift): DriftFinding => ({
  driftId,
  class: kind,
  clusterId,
  subject,
  expected,
  found,
  nodeIds,
});

/** The open difference, or why it cannot be settled this way now. */
function settleable(
  driftId: DriftId,
  way: 'accept' | 'restore',
  state: ControlState,
): { readonly kind: 'open'; readonly drift: Drift } | { readonly kind: 'refused'; readonly rejection: Rejection } {
  const drift = state.drift.get(driftId);
  if (drift === undefined) return { kind: 'refused', rejection: { kind: 'DriftNotFound', driftId } };
  const operationId = drift.operationId ?? operationAt(drift, state);
  if (operationId !== undefined) {
    return { kind: 'refused', rejection: { kind: 'ConflictingOperation', subject: `drift ${driftId}`, operationId } };
  }
  const proposal: Proposal = proposalsFor(drift, state)[way];
  if (proposal.possible) return { kind: 'open', drift };
  return { kind: 'refused', rejection: { kind: 'DriftNotReconcilable', driftId, way, reason: proposal.reason } };
}

export function acceptDrift({ operationId, driftId }: CommandOf<'AcceptDrift'>, state: ControlState): ControlDecision {
  const settling = settleable(driftId, 'accept', state);
  if (settling.kind === 'refused') return rejected(settling.rejection);
  const { drift } = settling;
  const { subject } = drift;
  if (drift.class === 'volume-missing' && subject.kind === 'volume') {
    return accepted({ type: 'VolumeDeletionPlanned', version: 1, operationId, volumeId: subject.volumeId });
  }
  return accepted({ type: 'DriftAccepted', version: 1, operationId, driftId, subject, finding: findingOf(drift) });
}

export function restoreDrift(
  { operationId, driftId }: CommandOf<'RestoreDrift'>,
  state: ControlState,
): ControlDecision {
  const settling = settleable(driftId, 'restore', state);
  if (settling.kind === 'refused') return rejected(settling.rejection);
  const { subject } = settling.drift;
  const finding = findingOf(settling.drift);
  return accepted({ type: 'DriftRestorationPlanned', version: 1, operationId, driftId, subject, finding });
}
