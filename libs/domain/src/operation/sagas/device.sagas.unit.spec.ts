import type { DeviceId, NodeId, PlannedTask } from '@brickyard/contracts';
import { clusterOf, failed, id, newOperationId, obedient, type Answer, type ControlPlane } from '../../testing';

const DEVICE_KIB = 500 * 1_048_576;
const deviceId = id('d101') as DeviceId;
const nodeId = id('a1') as NodeId;

/** Two hosts, of whose first the only device may be removed. */
function withFailedDevice(): ControlPlane {
  const plane = clusterOf([1, 2].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
  for (const state of ['offline', 'failed'] as const) {
    plane.submit({ type: 'SetDeviceState', operationId: newOperationId(), deviceId, state });
  }
  return plane;
}

const remove = (plane: ControlPlane): void => {
  expect(
    plane.submit({ type: 'RemoveDevice', operationId: newOperationId(), deviceId, forceForget: false }),
  ).toBeUndefined();
};
const fallSilent = (plane: ControlPlane): void => {
  plane.submit({ type: 'DeclareNodeLost', nodeId, silentSince: 'then' });
};
const residueOf = ({ state }: ControlPlane): readonly string[] =>
  [...state.nodes.values()].flatMap(({ residue }) => residue.map(({ task }) => task.type));

/** The node's return: who is told what. */
function comeBack(plane: ControlPlane, agent: (task: PlannedTask) => Answer | undefined = obedient()): string[] {
  const told: string[] = [];
  plane.submit({ type: 'DeclareNodeReturned', nodeId });
  plane.settle((task) => {
    told.push(`${task.task.type} on ${task.host}`);
    return agent(task);
  });
  return told;
}

describe('a device whose host falls silent over giving it back', () => {
  it('is gone, whether the host had done it or not, and the host does it when it is back', () => {
    const plane = withFailedDevice();
    remove(plane);
    fallSilent(plane);
    expect(plane.state.operations.size).toBe(0);
    expect(plane.state.devices.has(deviceId)).toBe(false);
    expect(residueOf(plane)).toEqual(['RetireDevice']);
    expect(comeBack(plane)).toEqual(['RetireDevice on n1']);
    expect(residueOf(plane)).toEqual([]);
  });

  it('is gone too when it had refused once, and was to be asked again', () => {
    const plane = withFailedDevice();
    remove(plane);
    const busy = failed('busy', { transient: true, uncertain: true });
    let hasRefused = false;
    plane.settle(() => {
      if (hasRefused) return undefined;
      hasRefused = true;
      return busy;
    });
    fallSilent(plane);
    expect(plane.state.devices.has(deviceId)).toBe(false);
    expect(residueOf(plane)).toEqual(['RetireDevice']);
  });

  it('is given back by nobody else when its host refuses again', () => {
    const plane = withFailedDevice();
    remove(plane);
    fallSilent(plane);
    const told = comeBack(plane, () => failed('busy', { transient: true, uncertain: false }));
    expect(new Set(told)).toEqual(new Set(['RetireDevice on n1']));
    expect(residueOf(plane)).toEqual(['RetireDevice']);
  });

  it('stays when the host was silent before it was asked', () => {
    const plane = withFailedDevice();
    fallSilent(plane);
    remove(plane);
    expect(plane.state.operations.size).toBe(0);
    expect(plane.state.devices.get(deviceId)?.operationId).toBeUndefined();
    expect(plane.state.devices.has(deviceId)).toBe(true);
    expect(residueOf(plane)).toEqual([]);
  });
});
