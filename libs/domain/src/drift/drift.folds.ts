/** What each fact about a difference between log and hosts changes. */
import type { DriftSubject, EventOf } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import type { ControlState, Volume } from '../control/control.state';
import { changed, released, withRingRefreshed } from '../control/fold-tools';
import { endOperation, startOperation } from '../operation/operation.folds';
import { expectedOptions, withOption } from './expected-options';

export function driftObserved(
  state: ControlState,
  { event, at, position }: Recorded<EventOf<'DriftObserved'>>,
): ControlState {
  const { type: _, version: __, ...finding } = event;
  const known = state.drift.get(finding.driftId);
  const { since, sincePosition } = known ?? { since: at, sincePosition: position };
  const failure = known?.lastFailure === undefined ? {} : { lastFailure: known.lastFailure };
  return { ...state, drift: state.drift.set(finding.driftId, { ...finding, since, sincePosition, ...failure }) };
}

export const driftResolved = (state: ControlState, { event }: Recorded<EventOf<'DriftResolved'>>): ControlState => ({
  ...state,
  drift: state.drift.delete(event.driftId),
});

export function driftAccepted(state: ControlState, recorded: Recorded<EventOf<'DriftAccepted'>>): ControlState {
  const { driftId, finding } = recorded.event;
  const taken = withReality({ ...state, drift: state.drift.delete(driftId) }, finding);
  return endOperation(taken, recorded, { kind: 'accept-drift', subjectId: driftId, result: 'done' });
}

/** What the log says is what was found. */
function withReality(state: ControlState, { subject, found }: EventOf<'DriftAccepted'>['finding']): ControlState {
  if (subject.kind === 'option') {
    const volumes = changed(state.volumes, subject.volumeId, (volume) => ({
      ...volume,
      gluster: withOption(expectedOptions(volume), subject.key, found),
    }));
    return { ...state, volumes };
  }
  if (subject.kind !== 'device') return state;
  const devices = changed(state.devices, subject.deviceId, (device) => ({ ...device, totalKib: Number(found) }));
  const nodeId = devices.get(subject.deviceId)?.nodeId;
  const resized = { ...state, devices };
  return nodeId === undefined ? resized : withRingRefreshed(resized, nodeId, [subject.deviceId]);
}

/** While a difference is being settled, nothing else is at work on its volume. */
function withVolumeTaken(state: ControlState, subject: DriftSubject, change: (volume: Volume) => Volume): ControlState {
  if (!('volumeId' in subject)) return state;
  return { ...state, volumes: changed(state.volumes, subject.volumeId, change) };
}

export function driftRestorationPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'DriftRestorationPlanned'>>,
): ControlState {
  const { operationId, driftId, subject, finding } = recorded.event;
  const drift = changed(state.drift, driftId, (open) => ({ ...open, operationId }));
  const taken = withVolumeTaken({ ...state, drift }, subject, (volume) => ({ ...volume, operationId }));
  return startOperation(taken, recorded, { kind: 'restore-drift', driftId, finding });
}

export function driftRestored(state: ControlState, recorded: Recorded<EventOf<'DriftRestored'>>): ControlState {
  const { driftId, subject } = recorded.event;
  const settled = { ...state, drift: state.drift.delete(driftId) };
  return endOperation(withVolumeTaken(settled, subject, released), recorded, {
    kind: 'restore-drift',
    subjectId: driftId,
    result: 'done',
  });
}

export function driftRestorationUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'DriftRestorationUndone'>>,
): ControlState {
  const { driftId, subject, operationId, detail } = recorded.event;
  const lastFailure = { operationId, at: recorded.at, detail };
  const drift = changed(state.drift, driftId, (open) => ({ ...released(open), lastFailure }));
  return endOperation(withVolumeTaken({ ...state, drift }, subject, released), recorded, {
    kind: 'restore-drift',
    subjectId: driftId,
    result: 'undone',
  });
}
