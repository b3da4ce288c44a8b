/** What must hold at every position, checked where it can break. Pure. */
import type { Brick, DeviceId } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';
import type { Finding } from '@brickyard/event-sourcing';

/** What is wrong with bricks that were just planned: a device that is over-filled or not there, a node with two of a set. */
export function checkPlanned(bricks: readonly Brick[], state: ControlState, position: number): Finding[] {
  const problems = [...bricks.flatMap((brick) => brickProblem(brick, state)), ...setProblems(bricks)];
  return problems.map((detail) => ({ kind: 'invariant', position, detail }));
}

function brickProblem({ brickId, deviceId, nodeId }: Brick, state: ControlState): string[] {
  const device = state.devices.get(deviceId);
  if (device === undefined) return [`brick ${brickId} lies on device ${deviceId}, which is not there`];
  if (device.nodeId !== nodeId) return [`brick ${brickId} names node ${nodeId}, but its device is on ${device.nodeId}`];
  return overfilled(deviceId, state);
}

function overfilled(deviceId: DeviceId, state: ControlState): string[] {
  const device = state.devices.get(deviceId);
  if (device === undefined || device.usedKib <= device.totalKib) return [];
  return [`device ${deviceId} is over-filled: ${String(device.usedKib)} of ${String(device.totalKib)} KiB`];
}

function setProblems(bricks: readonly Brick[]): string[] {
  const seen = new Set<string>();
  return bricks.flatMap(({ set, nodeId }) => {
    const key = `${String(set)} ${nodeId}`;
    if (seen.has(key)) return [`two bricks of set ${String(set)} lie on node ${nodeId}`];
    seen.add(key);
    return [];
  });
}

/** The same of a whole state, and that what devices have promised is what the bricks on them take. */
export function checkWhole(state: ControlState, position: number): Finding[] {
  const taken = new Map<DeviceId, number>();
  const problems: string[] = [];
  for (const volume of state.volumes.values()) {
    problems.push(...setProblems(volume.bricks).map((text) => `volume ${volume.volumeId}: ${text}`));
    const held = [...volume.bricks, ...volume.moves.map(({ replacement }) => replacement)];
    for (const { deviceId, poolKib, metadataKib } of held) {
      taken.set(deviceId, (taken.get(deviceId) ?? 0) + poolKib + metadataKib);
    }
  }
  for (const { deviceId, usedKib } of state.devices.values()) {
    problems.push(...overfilled(deviceId, state));
    const used = taken.get(deviceId) ?? 0;
    if (used !== usedKib) {
      problems.push(`device ${deviceId} has promised ${String(usedKib)} KiB, its bricks take ${String(used)}`);
    }
  }
  return problems.map((detail) => ({ kind: 'invariant', position, detail }));
}
