/**
 * Decisions about things that exist and are to be managed from now on. What is taken over must keep what the log
 * promises of everything else; what was taken over already, as it is, is no event.
 */
import { bricksPerSet, type AdoptedVolume, type Brick, type CommandOf } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import { hostnameKey, volumeNameKey, type ControlState } from '../control/control.state';
import type { ControlDecision } from '../control/decisions.types';
import { glusterDurability } from '../operation/orders';

const refused = (subject: string, reason: string): ControlDecision =>
  rejected({ kind: 'NotAdoptable', subject, reason });

export function adoptCluster(command: CommandOf<'AdoptCluster'>, state: ControlState): ControlDecision {
  if (state.clusters.has(command.clusterId)) return accepted();
  return accepted({ ...command, type: 'ClusterAdopted', version: 1 });
}

export function adoptNode(command: CommandOf<'AdoptNode'>, state: ControlState): ControlDecision {
  const { nodeId, clusterId, hostnames } = command;
  const subject = `node ${nodeId}`;
  if (!state.clusters.has(clusterId)) return rejected({ kind: 'ClusterNotFound', clusterId });
  const known = state.nodes.get(nodeId);
  if (known !== undefined) {
    const isSame = known.clusterId === clusterId && known.hostnames.manage[0] === hostnames.manage[0];
    return isSame ? accepted() : refused(subject, 'the log has a node of this id in another place');
  }
  for (const kind of ['manage', 'storage'] as const) {
    for (const hostname of hostnames[kind]) {
      const owner = state.hostnames.get(hostnameKey(kind, hostname));
      if (owner !== undefined) return rejected({ kind: 'HostnameInUse', hostname, nodeId: owner });
    }
  }
  return accepted({ ...command, type: 'NodeAdopted', version: 1 });
}

export function adoptDevice(command: CommandOf<'AdoptDevice'>, state: ControlState): ControlDecision {
  const { deviceId, nodeId, name } = command;
  const subject = `device ${deviceId}`;
  const node = state.nodes.get(nodeId);
  if (node === undefined) return rejected({ kind: 'NodeNotFound', nodeId });
  const known = state.devices.get(deviceId);
  if (known !== undefined) {
    const isSame = known.nodeId === nodeId && known.name === name;
    return isSame ? accepted() : refused(subject, `the log has a device of this id: ${known.name} of ${known.nodeId}`);
  }
  const sameName = node.deviceIds.find((other) => state.devices.get(other)?.name === name);
  if (sameName !== undefined) return refused(subject, `${name} of its node is device ${sameName} in the log`);
  return accepted({ ...command, type: 'DeviceAdopted', version: 1 });
}

export function adoptVolume(command: CommandOf<'AdoptVolume'>, state: ControlState): ControlDecision {
  const { volumeId, clusterId } = command;
  const subject = `volume ${volumeId}`;
  if (!state.clusters.has(clusterId)) return rejected({ kind: 'ClusterNotFound', clusterId });
  const known = state.volumes.get(volumeId);
  if (known !== undefined) {
    return isSame(known.bricks, command.bricks) ? accepted() : refused(subject, 'the log has it with other bricks');
  }
  const reason = nameTaken(command, state) ?? shapeProblem(command) ?? placeProblem(command, state);
  return reason === undefined
    ? accepted({ ...command, type: 'VolumeAdopted', version: 1 })
    : refused(`${subject} (${command.spec.name})`, reason);
}

const isSame = (one: readonly Brick[], other: readonly Brick[]): boolean =>
  one.length === other.length && one.every(({ brickId }, index) => other[index]?.brickId === brickId);

function nameTaken({ clusterId, spec }: AdoptedVolume, state: ControlState): string | undefined {
  const owner = state.volumeNames.get(volumeNameKey(clusterId, spec.name));
  return owner === undefined ? undefined : `volume ${owner} has its name`;
}

/** Whole sets, each place in them once. */
function shapeProblem({ spec, bricks }: AdoptedVolume): string | undefined {
  const perSet = bricksPerSet(glusterDurability(spec));
  const isWhole = bricks.every(
    ({ set, place }, index) => set === Math.floor(index / perSet) && place === index % perSet,
  );
  if (bricks.length % perSet === 0 && isWhole) return undefined;
  return `its ${String(bricks.length)} bricks do not make whole sets of ${String(perSet)} in order`;
}

/** Every brick on a device of its node, on none twice, with the room it takes; no two of a set on one node. */
function placeProblem({ clusterId, bricks }: AdoptedVolume, state: ControlState): string | undefined {
  const taken = new Map<string, number>();
  const places = new Set<string>();
  const ids = new Set<string>();
  for (const { brickId, nodeId, deviceId, set, poolKib, metadataKib, foreign } of bricks) {
    const device = state.devices.get(deviceId);
    if (device?.nodeId !== nodeId) return `brick ${brickId} lies on device ${deviceId}, which node ${nodeId} has not`;
    if (device.clusterId !== clusterId) return `brick ${brickId} lies in another cluster, ${device.clusterId}`;
    if ((device.foreign === true) !== (foreign === true)) {
      return `brick ${brickId} and device ${deviceId} do not agree on being somebody else's`;
    }
    if (device.bricks.has(brickId) || ids.has(brickId)) return `brick ${brickId} is a brick of a volume already`;
    if (places.has(`${String(set)}/${nodeId}`)) return `two bricks of set ${String(set)} lie on node ${nodeId}`;
    const usedKib = (taken.get(deviceId) ?? device.usedKib) + poolKib + metadataKib;
    if (usedKib > device.totalKib) {
      return `device ${deviceId} has ${String(device.totalKib)} KiB, and its bricks would take ${String(usedKib)} KiB`;
    }
    taken.set(deviceId, usedKib);
    places.add(`${String(set)}/${nodeId}`);
    ids.add(brickId);
  }
  return undefined;
}
