/** Which cluster takes a new volume: the first in order that is eligible and has room, as in heketi. */
import {
  gibOf,
  type ClusterId,
  type ClusterRefusal,
  type PlacementPolicy,
  type VolumeId,
  type VolumeSpec,
} from '@brickyard/contracts';
import { volumeNameKey, type Cluster, type ControlState } from '../control/control.state';
import { planBricks, volumeNameMaxIn } from './plan-bricks';
import type { BrickPlan, VolumeNotPlaced, VolumePlacement } from './placement.types';
import { shortestRemedy, type RefusedBy, type Wanted } from './remedy/remedy';
import { ringOf } from './ring';
import { minimumVolumeKib } from './sizing';

/** A volume that wants a cluster and bricks. */
export interface NewVolume {
  readonly volumeId: VolumeId;
  readonly spec: VolumeSpec;
  /** Clusters to try, in order; empty means all, by id. */
  readonly clusters: readonly string[];
  readonly policy: PlacementPolicy;
}

type Refused = Extract<VolumePlacement, { readonly kind: 'refused' }>;

const refused = (rejection: VolumeNotPlaced): Refused => ({ kind: 'refused', rejection });

/** The clusters to try, or the one that does not exist. */
export function candidates(
  requested: readonly string[],
  state: ControlState,
):
  | { readonly kind: 'found'; readonly clusters: readonly Cluster[] }
  | { readonly kind: 'unknown'; readonly id: string } {
  const ids = requested.length === 0 ? [...state.clusters.keys()].sort() : [...new Set(requested)];
  const clusters: Cluster[] = [];
  for (const id of ids) {
    const cluster = state.clusters.get(id as ClusterId);
    if (cluster === undefined) return { kind: 'unknown', id };
    clusters.push(cluster);
  }
  return { kind: 'found', clusters };
}

/** Why a cluster is not even tried. */
function ineligibility(cluster: Cluster, { spec, policy }: NewVolume, state: ControlState): ClusterRefusal | undefined {
  const { flags, clusterId, volumeIds } = cluster;
  if (!flags.file && !flags.block) return { kind: 'AllVolumeTypesDisabled' };
  if (!(spec.block ? flags.block : flags.file)) return { kind: 'VolumeTypeNotSupported' };
  if (state.volumeNames.has(volumeNameKey(clusterId, spec.name))) return { kind: 'VolumeNameInUse', name: spec.name };
  const nameMax = volumeNameMaxIn(cluster, state);
  if (spec.name.length > nameMax) return { kind: 'VolumeNameTooLong', length: spec.name.length, limit: nameMax };
  const limit = policy.volumesPerClusterMax;
  return limit >= 0 && volumeIds.size >= limit ? { kind: 'TooManyVolumes', count: volumeIds.size, limit } : undefined;
}

/** On a new volume heketi calls every way of running out of room the same. */
function asNoSpace(refusal: ClusterRefusal): ClusterRefusal {
  if (refusal.kind !== 'TooManyBricks' && refusal.kind !== 'BricksTooSmall') return refusal;
  const { attempts, byRule, devices, devicesMore } = refusal;
  return { kind: 'NoSpace', attempts, byRule, devices, devicesMore };
}

function planIn(cluster: Cluster, wanted: Wanted, state: ControlState): BrickPlan {
  if (cluster.nodeIds.length === 0) return { kind: 'refused', refusal: { kind: 'NoNodes' } };
  if (ringOf(cluster.ring).devices.length === 0) return { kind: 'refused', refusal: { kind: 'NoOnlineDevices' } };
  return planBricks({ ...wanted, clusterId: cluster.clusterId }, cluster, state.devices);
}

/** A refusal travels in one message with others: so many clusters are named, and of so many it is told why in full. */
const CLUSTERS_NAMED_MAX = 64;
const CLUSTERS_EXPLAINED_MAX = 8;

/** A refusal without its evidence; how many devices there were is kept. */
function inShort(refusal: ClusterRefusal): ClusterRefusal {
  if (!('devices' in refusal)) return refusal;
  const devicesMore = refusal.devicesMore + refusal.devices.length;
  return { ...refusal, attempts: [], byRule: [], devices: [], devicesMore };
}

/** The refusal of all clusters, each with its reason, and the smallest change that would help. */
export function notPlaced(
  all: readonly RefusedBy[],
  ineligible: boolean,
  wanted: Wanted,
  state: ControlState,
): Refused {
  const refusals = all
    .slice(0, CLUSTERS_NAMED_MAX)
    .map((one, index) => (index < CLUSTERS_EXPLAINED_MAX ? one : { ...one, refusal: inShort(one.refusal) }));
  const more = all.length - refusals.length;
  const remedy = shortestRemedy(all, wanted, state);
  return refused({ kind: 'NotPlaced', refusals, ...(more === 0 ? {} : { refusalsMore: more }), ineligible, remedy });
}

/** What a new volume asks of whichever cluster. */
export const wantedBy = ({ volumeId, spec, policy }: NewVolume): Wanted => ({
  volumeId,
  seed: volumeId,
  durability: spec.durability,
  sizeKib: spec.sizeKib,
  snapshotFactor: spec.snapshotFactor,
  options: spec.options,
  existingBricks: 0,
  firstSet: 0,
  policy,
  block: spec.block,
});

function placeInFirst(clusters: readonly Cluster[], wanted: Wanted, state: ControlState): VolumePlacement {
  const refusals: RefusedBy[] = [];
  for (const cluster of clusters) {
    const { clusterId } = cluster;
    const plan = planIn(cluster, wanted, state);
    if (plan.kind === 'placed') return { ...plan, clusterId };
    if (plan.kind === 'invalid-tag-rule') return refused({ kind: 'InvalidTagRule', rule: plan.rule });
    if (plan.kind === 'average-file-too-large') {
      const { averageKib, brickKib } = plan;
      return refused({ kind: 'AverageFileTooLarge', averageKib, brickKib });
    }
    refusals.push({ clusterId, refusal: asNoSpace(plan.refusal) });
  }
  return notPlaced(refusals, false, wanted, state);
}

/** Places a new volume in the first cluster that takes it, or says of each cluster why it does not. */
export function placeVolume(volume: NewVolume, state: ControlState): VolumePlacement {
  if (state.clusters.size === 0) return refused({ kind: 'NoClusters' });
  const found = candidates(volume.clusters, state);
  if (found.kind === 'unknown') return refused({ kind: 'UnknownClusterRequested', clusterId: found.id });
  const { sizeKib, durability } = volume.spec;
  const minimumKib = minimumVolumeKib(durability, volume.policy);
  if (sizeKib < minimumKib) return refused({ kind: 'VolumeTooSmall', requestedGib: gibOf(sizeKib), minimumKib });
  const wanted = wantedBy(volume);
  const ineligible: RefusedBy[] = [];
  const eligible = found.clusters.filter((cluster) => {
    const refusal = ineligibility(cluster, volume, state);
    if (refusal !== undefined) ineligible.push({ clusterId: cluster.clusterId, refusal });
    return refusal === undefined;
  });
  return eligible.length === 0 ? notPlaced(ineligible, true, wanted, state) : placeInFirst(eligible, wanted, state);
}
