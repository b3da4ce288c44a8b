/** Why a volume's bricks lie where they lie: every placement in its history, told in full. */
import {
  type Brick,
  type ControlEvent,
  isControlEventType,
  type PlacementExplanation,
  upcast,
} from '@brickyard/contracts';
import { type ControlState, explainPlacement, type LookedAtDevice, type Volume, volumeHealth } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { entryOf } from '../events/event-entry';
import { verdictText } from './placement-texts';

/** An event that gave bricks to a volume. */
export interface PlacingEvent {
  readonly stored: StoredEvent;
  readonly bricks: readonly Brick[];
  readonly placement: PlacementExplanation;
  /** What failed before, when it was planned again. */
  readonly instead?: string;
}

/** The placing events among those of a volume. */
export function placingEvents(events: readonly StoredEvent[]): PlacingEvent[] {
  return events.flatMap((stored) => {
    if (!isControlEventType(stored.type)) return [];
    const event: ControlEvent = upcast(stored.type, stored.version, stored.data);
    const isPlacing =
      event.type === 'VolumePlanned' || event.type === 'VolumeReplanned' || event.type === 'VolumeExpansionPlanned';
    if (!isPlacing) return [];
    const again = event.type === 'VolumeReplanned' ? { instead: event.detail } : {};
    return [{ stored, bricks: event.bricks, placement: event.placement, ...again }];
  });
}

/** One placement; `before` is the state just before its event. */
export function placementView(
  { stored, bricks, placement, instead }: PlacingEvent,
  options: readonly string[],
  before: ControlState,
): object {
  const explained = explainPlacement({ bricks, placement, options }, before);
  const { position, time, type, actor, request, commandId, correlationId, traceId } = entryOf(stored);
  const device = (one: LookedAtDevice): object => ({
    device: one.deviceId,
    name: before.devices.get(one.deviceId)?.name ?? '',
    node: one.nodeId,
    host: before.nodes.get(one.nodeId)?.hostnames.manage[0] ?? '',
    zone: one.zone,
    total: one.totalKib,
    free: one.freeKib,
    ...(one.neededKib === undefined ? {} : { needed: one.neededKib }),
    ...(one.rank === undefined ? {} : { rank: one.rank }),
    verdict: one.verdict,
    ...(one.brickId === undefined ? {} : { brick: one.brickId }),
    ...(one.refusal === undefined ? {} : { rule: one.refusal.rule }),
    why: verdictText(one),
  });
  return {
    position,
    time,
    type,
    actor,
    ...(request === undefined ? {} : { request }),
    ...(commandId === undefined ? {} : { commandId }),
    correlationId,
    ...(traceId === undefined ? {} : { traceId }),
    ...(instead === undefined ? {} : { instead }),
    policy: placement.policy,
    cluster: placement.clusterId,
    seed: placement.seed,
    attempts: placement.attempts,
    sets: explained.sets.map(({ devices, ...set }) => ({ ...set, devices: devices.map(device) })),
    unusable: explained.unusable.map(device),
    unusableMore: explained.unusableMore,
    isReproducible: explained.isSameRing,
  };
}

/** What is said of the volume itself, when it is there. */
export const volumeHead = (volume: Volume, state: ControlState): object => ({
  id: volume.volumeId,
  name: volume.spec.name,
  status: volume.status,
  health: volumeHealth(volume, state),
  ...(volume.operationId === undefined ? {} : { operation: volume.operationId }),
});
