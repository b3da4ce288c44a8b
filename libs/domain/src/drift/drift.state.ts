/** Differences between log and hosts that are open, as their events tell them. */
import type { DriftFinding, DriftId, DriftSubject, HostLook, OperationId } from '@brickyard/contracts';

/** What one host says, its parts put together. */
export type HostReport = HostLook;

/** A difference that was seen and is not over. */
export interface Drift extends DriftFinding {
  /** When it was seen first, and where the log says so. */
  readonly since: string;
  readonly sincePosition: number;
  /** The operation that is settling it, if any. */
  readonly operationId?: OperationId;
  /** Why the last attempt to settle it failed. */
  readonly lastFailure?: { readonly operationId: OperationId; readonly at: string; readonly detail: string };
}

/** What makes two subjects the same. */
function keyOf(subject: DriftSubject): string {
  switch (subject.kind) {
    case 'volume':
      return subject.volumeId;
    case 'option':
      return `${subject.volumeId}/${subject.key}`;
    case 'brick':
      return subject.brickId;
    case 'device':
      return subject.deviceId;
    case 'peer':
      return subject.nodeId;
    case 'unknown-volume':
      return `${subject.clusterId}/${subject.name}`;
    case 'unknown-brick':
      return `${subject.nodeId}${subject.path}`;
    case 'unknown-peer':
      return `${subject.clusterId}/${subject.uuid}`;
  }
}

/** The label from which a finding's id is derived: its class and what it is about. */
export const driftLabel = ({ class: kind, subject }: Pick<DriftFinding, 'class' | 'subject'>): string =>
  `${kind}/${keyOf(subject)}`;

/** Open differences by id. */
export type OpenDrifts = ReadonlyMap<DriftId, Drift>;

/** The options a volume should have, as far as the log knows. */
export interface ExpectedOptions {
  readonly options: Readonly<Record<string, string>>;
  /** False when only these are known: others may be set as well. */
  readonly isComplete: boolean;
}
