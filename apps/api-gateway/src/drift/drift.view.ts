/** Differences between log and hosts for people: what, since when, and what can be done about it. Pure. */
import { proposalsFor, type ControlState, type Drift, type Proposal } from '@brickyard/domain';

/** One difference as it is told. */
export interface DriftView {
  readonly id: string;
  readonly class: string;
  readonly cluster: string;
  /** The thing in people's words. */
  readonly about: string;
  readonly subject: Drift['subject'];
  readonly expected: string;
  readonly found: string;
  /** Who says so. */
  readonly nodes: readonly { readonly id: string; readonly host: string }[];
  readonly since: string;
  readonly sincePosition: number;
  /** The operation that is settling it. */
  readonly operation?: string;
  readonly lastFailure?: { readonly operation: string; readonly at: string; readonly detail: string };
  readonly accept: Proposal;
  readonly restore: Proposal;
}

/** `GET /v1/drift`: the open differences, the oldest first. */
export function driftListView(state: ControlState): { readonly drift: readonly DriftView[] } {
  const open = [...state.drift.values()].sort(
    (one, other) => one.sincePosition - other.sincePosition || (one.driftId < other.driftId ? -1 : 1),
  );
  return { drift: open.map((drift) => driftView(state, drift)) };
}

/** `GET /v1/drift/{id}`. */
export function driftView(state: ControlState, drift: Drift): DriftView {
  const { driftId, clusterId, subject, expected, found, nodeIds, since, sincePosition, operationId, lastFailure } =
    drift;
  return {
    id: driftId,
    class: drift.class,
    cluster: clusterId,
    about: aboutOf(state, subject),
    subject,
    expected,
    found,
    nodes: nodeIds.map((id) => ({ id, host: hostOf(state, id) })),
    since,
    sincePosition,
    ...(operationId === undefined ? {} : { operation: operationId }),
    ...(lastFailure === undefined
      ? {}
      : { lastFailure: { operation: lastFailure.operationId, at: lastFailure.at, detail: lastFailure.detail } }),
    ...proposalsFor(drift, state),
  };
}

const hostOf = (state: ControlState, nodeId: Drift['nodeIds'][number]): string =>
  state.nodes.get(nodeId)?.hostnames.manage[0] ?? nodeId;

function aboutOf(state: ControlState, subject: Drift['subject']): string {
  const volume = 'volumeId' in subject ? (state.volumes.get(subject.volumeId)?.spec.name ?? subject.volumeId) : '';
  switch (subject.kind) {
    case 'volume':
      return `volume ${volume}`;
    case 'option':
      return `option ${subject.key} of volume ${volume}`;
    case 'brick':
      return `brick ${subject.brickId} of volume ${volume} on ${hostOf(state, subject.nodeId)}`;
    case 'device':
      return deviceText(state, subject.deviceId);
    case 'peer':
      return `node ${hostOf(state, subject.nodeId)}`;
    case 'unknown-volume':
      return `Gluster volume ${subject.name}`;
    case 'unknown-brick':
      return `${subject.path} on ${hostOf(state, subject.nodeId)}`;
    case 'unknown-peer':
      return `host ${subject.hostname}`;
  }
}

function deviceText(state: ControlState, deviceId: Extract<Drift['subject'], { kind: 'device' }>['deviceId']): string {
  const device = state.devices.get(deviceId);
  return device === undefined ? `device ${deviceId}` : `device ${device.name} on ${hostOf(state, device.nodeId)}`;
}
