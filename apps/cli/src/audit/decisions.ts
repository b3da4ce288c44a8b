/** Recorded placements, made again on the state before them. */
import { isDeepStrictEqual } from 'node:util';
import {
  isControlEventType,
  kib,
  upcast,
  type Brick,
  type CommandOf,
  type EventOf,
  type PlacementPolicy,
} from '@brickyard/contracts';
import { decide, type ControlState } from '@brickyard/domain';
import type { Finding, StoredEvent } from '@brickyard/event-sourcing';

/** A decision that can be made again. */
export type Placement = EventOf<'VolumePlanned'> | EventOf<'VolumeExpansionPlanned'>;

/** What of a stored event its data does not say. */
type Envelope = Pick<StoredEvent, 'position' | 'recordedAt' | 'streamId' | 'type'>;

/** The bricks that an event gives to a volume. */
export function bricksGivenBy(event: StoredEvent): readonly Brick[] {
  const isGift =
    event.type === 'VolumePlanned' || event.type === 'VolumeExpansionPlanned' || event.type === 'VolumeAdopted';
  if (!isGift) return [];
  return (upcast(event.type, event.version, event.data) as Placement | EventOf<'VolumeAdopted'>).bricks;
}

/** The placement that an event records, if it does. */
export function placementIn(event: StoredEvent): Placement | undefined {
  if (event.type !== 'VolumePlanned' && event.type !== 'VolumeExpansionPlanned') return undefined;
  return isControlEventType(event.type) ? (upcast(event.type, event.version, event.data) as Placement) : undefined;
}

/**
 * A policy under which the recorded attempts have the outcomes they have. The one that was in force is not in the event;
 * its limits on sizes and counts show in the attempts, whether zones were strict shows in what was passed over.
 */
export function policyBehind({ placement }: Placement, zoneChecking: PlacementPolicy['zoneChecking']): PlacementPolicy {
  const tried = placement.attempts.find(({ outcome }) => outcome !== 'brick-too-large');
  return {
    brickMinKib: kib(1),
    brickMaxKib: kib(tried?.brickKib ?? Number.MAX_SAFE_INTEGER),
    bricksPerVolumeMax: Number.MAX_SAFE_INTEGER,
    volumesPerClusterMax: -1,
    zoneChecking,
  };
}

/** Makes a recorded placement again; undefined when it gives the same bricks for the same reasons. */
export function redecide(placement: Placement, state: ControlState, event: Envelope): Finding | undefined {
  if (isSame(placement, state, event, 'none') || isSame(placement, state, event, 'strict')) return undefined;
  const detail = `${event.type} of ${event.streamId}: the same decision on the state before it gives other bricks or other reasons than recorded`;
  return { kind: 'decision', position: event.position, detail };
}

function isSame(
  recorded: Placement,
  state: ControlState,
  { position, recordedAt }: Envelope,
  zones: PlacementPolicy['zoneChecking'],
): boolean {
  const context = { position: position - 1, now: recordedAt };
  const decision = decide(commandBehind(recorded, policyBehind(recorded, zones)), state, context);
  if (decision.kind === 'rejected') return false;
  const [again] = decision.events;
  if (again?.type !== recorded.type) return false;
  return isDeepStrictEqual(again.bricks, recorded.bricks) && isDeepStrictEqual(again.placement, recorded.placement);
}

function commandBehind(
  recorded: Placement,
  policy: PlacementPolicy,
): CommandOf<'CreateVolume'> | CommandOf<'ExpandVolume'> {
  const { operationId, volumeId } = recorded;
  if (recorded.type === 'VolumeExpansionPlanned') {
    return { type: 'ExpandVolume', operationId, volumeId, addKib: recorded.addKib, policy };
  }
  const { spec, clusterId } = recorded;
  // Which names are let in has become stricter once: a name that was let in decides nothing about bricks.
  return { type: 'CreateVolume', operationId, volumeId, spec: { ...spec, name: '' }, clusters: [clusterId], policy };
}
