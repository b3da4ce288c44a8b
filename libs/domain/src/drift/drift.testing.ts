/** For specs: hosts that say exactly what the log says, until the spec changes their mind. */
import type { ControlState } from '../control/control.state';
import type { NodeId } from '@brickyard/contracts';
import type { HostReport } from './drift.state';
import { expectedOptions } from './expected-options';

const uuidOf = (nodeId: NodeId): string => `uuid-${nodeId.slice(-2)}`;

/** What a node's host says when nothing was changed by hand. */
export function agreeingReport(nodeId: NodeId, state: ControlState, observedAt = 'then'): HostReport {
  const node = state.nodes.get(nodeId);
  const devices = (node?.deviceIds ?? []).flatMap((deviceId) => state.devices.get(deviceId) ?? []);
  const members = state.clusters.get(node?.clusterId as never)?.nodeIds ?? [];
  const volumes = [...state.volumes.values()].filter(({ bricks }) => bricks.some((brick) => brick.nodeId === nodeId));
  const hostOf = (id: NodeId): string => state.nodes.get(id)?.hostnames.storage[0] ?? '';
  return {
    host: (node?.hostnames.manage[0] ?? '') as HostReport['host'],
    incarnation: 'one',
    observedAt,
    glusterd: 'running',
    simulated: false,
    devices: devices.map(({ deviceId, name, totalKib }) => ({ deviceId, name, totalKib })),
    bricks: volumes
      .flatMap(({ bricks }) => bricks.filter((brick) => brick.nodeId === nodeId))
      .map(({ path, sizeKib }) => ({ path, sizeKib, mounted: true })),
    peers: members.map((member) => {
      const hostname = member === nodeId ? 'localhost' : hostOf(member);
      return { uuid: uuidOf(member), hostname, names: [hostname], connected: true };
    }),
    volumes: volumes.map((volume) => ({
      name: volume.spec.name,
      uuid: `uuid-${volume.spec.name}`,
      status: 'started',
      bricks: volume.bricks.map((brick) => `${hostOf(brick.nodeId)}:${brick.path}`),
      options: { ...expectedOptions(volume).options },
      idle: [],
    })),
  };
}
