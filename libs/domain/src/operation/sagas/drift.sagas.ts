/** How hosts are made to have again what the log says. Every step converges and none destroys what it does not name. */
import type { AgentTask, Brick, BrickId, DeviceId, DriftFinding, NodeId, VolumeId } from '@brickyard/contracts';
import { kib } from '@brickyard/contracts';
import type { ControlState, Volume } from '../../control/control.state';
import { expectedOptions } from '../../drift/expected-options';
import { brickLocations, brickSpec, coordinator, volumeOrder, type Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type RestorePlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'restore-drift' }>>;

const ref = ({ volumeId, spec }: Volume) => ({ volumeId, name: spec.name });

/** The bricks that must be mounted and served for the difference to go. */
function bricksToServe({ class: kind, subject }: DriftFinding, volume: Volume): readonly Brick[] {
  if (kind === 'volume-missing' || kind === 'volume-stopped') return volume.bricks;
  return subject.kind === 'brick' ? volume.bricks.filter(({ brickId }) => brickId === subject.brickId) : [];
}

function serveBricks({ finding }: RestorePlan, state: ControlState): readonly Order[] {
  const volume = 'volumeId' in finding.subject ? state.volumes.get(finding.subject.volumeId) : undefined;
  if (volume === undefined) return [];
  return bricksToServe(finding, volume).map((brick) => ({
    nodeId: brick.nodeId,
    resource: `brick:${brick.brickId}`,
    task: { type: 'ServeBrick', brick: brickSpec(state, volume, brick) },
  }));
}

/** What Gluster, or the host, is told; nothing where mounting or starting is all there is to do. */
function restore(plan: RestorePlan, state: ControlState): readonly Order[] {
  const { subject } = plan.finding;
  switch (subject.kind) {
    case 'volume':
      return plan.finding.class === 'volume-missing' ? adoptVolume(plan, state, subject.volumeId) : [];
    case 'option':
      return setOption(plan, state, subject);
    case 'unknown-volume':
      return deleteUnknown(plan, subject);
    case 'unknown-brick':
      return deleteBrick(subject, state);
    case 'peer':
      return probePeer(plan, state, subject.nodeId);
    case 'brick':
    case 'device':
    case 'unknown-peer':
      return [];
  }
}

/** The options are those it had, so that its group of options need not be looked up again. */
const adoptVolume = (plan: RestorePlan, state: ControlState, volumeId: VolumeId): readonly Order[] =>
  volumeOrder(state, volumeId, plan.attempt, (volume) => ({
    type: 'AdoptGlusterVolume',
    volume: {
      ...ref(volume),
      durability: volume.spec.durability,
      bricks: brickLocations(state, volume.bricks),
      options: optionsFor(volume),
      sizeKib: volume.spec.sizeKib,
    },
  }));

function optionsFor(volume: Volume): string[] {
  const { options, isComplete } = expectedOptions(volume);
  return isComplete ? Object.entries(options).map(([key, value]) => `${key} ${value}`) : volume.spec.options;
}

const setOption = (
  plan: RestorePlan,
  state: ControlState,
  { volumeId, key }: { readonly volumeId: VolumeId; readonly key: string },
): readonly Order[] =>
  volumeOrder(state, volumeId, plan.attempt, (volume): AgentTask => {
    const value = expectedOptions(volume).options[key];
    const change = value === undefined ? { set: {}, unset: [key] } : { set: { [key]: value }, unset: [] };
    return { type: 'SetVolumeOptions', volume: ref(volume), ...change };
  });

const NOBODY = '0'.repeat(32) as VolumeId;

/** A member that shows the volume removes it: others may not know it. */
function deleteUnknown(
  { finding, attempt }: RestorePlan,
  { name, owner }: { readonly name: string; readonly owner: string },
): readonly Order[] {
  const volumeId = owner === '' ? NOBODY : (owner as VolumeId);
  const nodeId = finding.nodeIds[(attempt - 1) % finding.nodeIds.length];
  if (nodeId === undefined) return [];
  return [
    { nodeId, resource: `volume:${volumeId}`, task: { type: 'DeleteGlusterVolume', volume: { volumeId, name } } },
  ];
}

const PARTS = /\/vg_([0-9a-f]{32})\/brick_([0-9a-f]{32})\/brick$/;

/** Sizes do not matter to a removal. */
function deleteBrick(
  { nodeId, path }: { readonly nodeId: NodeId; readonly path: string },
  state: ControlState,
): readonly Order[] {
  const [, deviceId, brickId] = PARTS.exec(path) ?? [];
  const device = deviceId === undefined ? undefined : state.devices.get(deviceId as DeviceId);
  if (device === undefined || brickId === undefined) return [];
  const sizes = { sizeKib: kib(0), poolKib: kib(0), metadataKib: kib(0) };
  const brick = {
    brickId: brickId as BrickId,
    deviceId: device.deviceId,
    path,
    deviceName: device.name,
    gid: 0,
    ...sizes,
  };
  return [{ nodeId, resource: `brick:${brickId}`, task: { type: 'DeleteBrick', brick } }];
}

function probePeer(plan: RestorePlan, state: ControlState, nodeId: NodeId): readonly Order[] {
  const node = state.nodes.get(nodeId);
  const host = node?.hostnames.storage[0];
  const member = node === undefined ? undefined : coordinator(state, node.clusterId, plan.attempt, nodeId);
  if (host === undefined || member === undefined) return [];
  return [{ nodeId: member, resource: `peer:${nodeId}`, task: { type: 'ProbePeer', nodeId, host } }];
}

function startVolume(plan: RestorePlan, state: ControlState): readonly Order[] {
  const { class: kind, subject } = plan.finding;
  if (subject.kind !== 'volume' || (kind !== 'volume-missing' && kind !== 'volume-stopped')) return [];
  return volumeOrder(state, subject.volumeId, plan.attempt, (volume) => ({
    type: 'StartGlusterVolume',
    volume: ref(volume),
  }));
}

/** Makes the hosts agree with the log about one thing. */
export const restoreDriftSaga: OperationSaga<RestorePlan> = {
  name: 'restore-drift',
  steps: [
    { name: 'serve-bricks', act: serveBricks },
    { name: 'restore', act: restore },
    { name: 'start-volume', act: startVolume },
  ],
};
