import type { Hostnames, Tags } from '@brickyard/contracts';
import type { ControlState, Node } from '@brickyard/domain';
import { deviceView, type DeviceView, tagsField } from './device.view';
import { visibleDevice } from './visible';

/** One node as heketi shows it, its devices included. */
export interface NodeView {
  readonly zone: number;
  readonly hostnames: Hostnames;
  readonly cluster: string;
  readonly tags?: Tags;
  readonly id: string;
  readonly state: string;
  readonly devices: readonly DeviceView[];
}

/** `GET /nodes/{id}`. */
export function nodeView(state: ControlState, node: Node): NodeView {
  return {
    zone: node.zone,
    hostnames: { manage: node.hostnames.manage, storage: node.hostnames.storage },
    cluster: node.clusterId,
    ...tagsField(node.tags),
    id: node.nodeId,
    state: node.state,
    devices: node.deviceIds
      .map((deviceId) => visibleDevice(state, deviceId))
      .filter((device) => device !== undefined)
      .map((device) => deviceView(state, device)),
  };
}
