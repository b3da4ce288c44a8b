/** The decision about a clone: refused before anything is touched when a host could not do it. */
import { kib, type Brick, type BrickId, type CommandOf, type Rejection } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import { deriveId } from '../placement/derive-id';
import { volumeNameMaxIn } from '../placement/plan-bricks';
import { isVisible, volumeNameKey, type ControlState, type Volume } from './control.state';
import type { ControlDecision } from './decisions.types';

/** The clone as it is planned; its bricks have no place until Gluster has told where it made them. */
export function cloneVolume(command: CommandOf<'CloneVolume'>, state: ControlState): ControlDecision {
  const { operationId, volumeId, originId, name } = command;
  if (state.volumes.has(volumeId)) return accepted(); // The same request, delivered twice.
  const origin = state.volumes.get(originId);
  if (origin === undefined || !isVisible(origin)) return rejected({ kind: 'VolumeNotFound', volumeId: originId });
  const refusal = refusalOf(command, origin, state);
  if (refusal !== undefined) return rejected(refusal);
  const { clusterId } = origin;
  const spec = { ...origin.spec, name, sizeKib: kib(origin.sizeKib) };
  const bricks = origin.bricks.map((brick) => clonedBrick(command, brick));
  return accepted({ type: 'VolumeClonePlanned', version: 1, operationId, volumeId, originId, clusterId, spec, bricks });
}

function refusalOf(
  { name, originId: volumeId, probe }: CommandOf<'CloneVolume'>,
  origin: Volume,
  state: ControlState,
): Rejection | undefined {
  const { operationId } = origin;
  if (origin.hosting !== undefined) return { kind: 'CloneOfHostingVolume', volumeId };
  if (operationId !== undefined) return { kind: 'ConflictingOperation', subject: `volume ${volumeId}`, operationId };
  if (state.volumeNames.has(volumeNameKey(origin.clusterId, name))) return { kind: 'CloneNameInUse', volumeId, name };
  const cluster = state.clusters.get(origin.clusterId);
  const limit = cluster === undefined ? Infinity : volumeNameMaxIn(cluster, state);
  if (name.length > limit) return { kind: 'CloneNameTooLong', volumeId, length: name.length, limit };
  const nodes = new Set(origin.bricks.map(({ nodeId }) => nodeId));
  const foreign = origin.bricks.find((brick) => brick.foreign === true);
  if (foreign !== undefined) {
    return { kind: 'CloneNotSupported', volumeId, nodeId: foreign.nodeId, brickDriver: 'not ours (taken over)' };
  }
  const unable = probe.unable.find(({ nodeId }) => nodes.has(nodeId));
  if (unable !== undefined) return { kind: 'CloneNotSupported', volumeId, ...unable };
  const silent = [...nodes].find(
    (nodeId) => probe.silent.includes(nodeId) || state.nodes.get(nodeId)?.lostSince !== undefined,
  );
  return silent === undefined ? undefined : { kind: 'CloneNodeSilent', volumeId, nodeId: silent };
}

/** On the same device, in the same thin pool: it takes nothing that is not taken already. */
function clonedBrick({ volumeId }: CommandOf<'CloneVolume'>, origin: Brick): Brick {
  const { nodeId, deviceId, sizeKib, set, place } = origin;
  return {
    brickId: deriveId(volumeId, `clone/${origin.brickId}`) as BrickId,
    nodeId,
    deviceId,
    path: '',
    sizeKib,
    poolKib: kib(0),
    metadataKib: kib(0),
    set,
    place,
    poolOf: origin.poolOf ?? origin.brickId,
  };
}
