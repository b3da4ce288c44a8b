/** The smallest change that would have made a refused placement succeed, in plain words. */
import type { ClusterId, ClusterRefusal } from '@brickyard/contracts';
import type { ControlState } from '../../control/control.state';
import type { BrickRequest } from '../placement.types';
import { ringOf } from '../ring';
import { spaceRemedy } from './space-remedy';

/** One cluster's refusal. */
export interface RefusedBy {
  readonly clusterId: ClusterId;
  readonly refusal: ClusterRefusal;
}

/** What was asked, whichever cluster answers. */
export type Wanted = Omit<BrickRequest, 'clusterId'> & { readonly block: boolean };

/** Clusters whose space is looked into. */
const SPACE_REMEDIES_MAX = 3;

interface Remedy {
  readonly clusterId: ClusterId;
  readonly text: string;
  /** What it costs to follow, roughly: first the kind of change, then the space it takes. */
  readonly effort: readonly [kind: number, lackingKib: number];
}

function onlineText(clusterId: ClusterId, state: ControlState): string {
  const cluster = state.clusters.get(clusterId);
  const [first] = cluster === undefined ? [] : ringOf(cluster.ring).unusable;
  if (first === undefined) return `Add a device to a node of cluster ${clusterId}.`;
  const { device, refusal } = first;
  return refusal.rule === 'device-not-online'
    ? `Set device ${device.deviceId} of node ${device.nodeId} online.`
    : `Bring node ${device.nodeId} back online.`;
}

type Answer = readonly [effort: number, text: string];

function withoutSpace({ clusterId, refusal }: RefusedBy, wanted: Wanted, state: ControlState): Answer | undefined {
  switch (refusal.kind) {
    case 'VolumeNameInUse':
      return [0, `Choose another name than '${refusal.name}'.`];
    case 'VolumeNameTooLong':
      return [0, `Choose a name of at most ${String(refusal.limit)} characters.`];
    case 'NoOnlineDevices':
      return [2, onlineText(clusterId, state)];
    case 'AllVolumeTypesDisabled':
    case 'VolumeTypeNotSupported':
      return [3, `Allow ${wanted.block ? 'block' : 'file'} volumes on cluster ${clusterId}.`];
    case 'TooManyVolumes':
      return [
        4,
        `Delete a volume of cluster ${clusterId}, or raise the limit of ${String(refusal.limit)} volumes a cluster.`,
      ];
    case 'NoNodes':
      return [5, `Add nodes with devices to cluster ${clusterId}.`];
    case 'NoSpace':
    case 'TooManyBricks':
    case 'BricksTooSmall':
      return undefined;
  }
}

function spaceRemedies(refused: readonly RefusedBy[], wanted: Wanted, state: ControlState): Remedy[] {
  return refused.slice(0, SPACE_REMEDIES_MAX).flatMap(({ clusterId }) => {
    const remedy = spaceRemedy({ ...wanted, clusterId }, clusterId, state);
    return remedy === undefined ? [] : [{ clusterId, text: remedy.text, effort: [1, remedy.lackingKib] as const }];
  });
}

/** Among the remedies of all clusters the one with least effort; the earlier cluster's when two are alike. */
export function shortestRemedy(refused: readonly RefusedBy[], wanted: Wanted, state: ControlState): string {
  const simple: Remedy[] = [];
  const short: RefusedBy[] = [];
  for (const each of refused) {
    const answer = withoutSpace(each, wanted, state);
    if (answer === undefined) short.push(each);
    else simple.push({ clusterId: each.clusterId, text: answer[1], effort: [answer[0], 0] });
  }
  const [best] = [...simple, ...spaceRemedies(short, wanted, state)].sort(
    (one, other) => one.effort[0] - other.effort[0] || one.effort[1] - other.effort[1],
  );
  if (best === undefined) return '';
  return refused.length === 1 ? best.text : `Cluster ${best.clusterId}: ${best.text}`;
}
