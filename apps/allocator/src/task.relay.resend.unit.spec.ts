import type { TaskEnvelope } from '@brickyard/contracts';
import {
  addDevice,
  addNode,
  clusterOf,
  controlPlane,
  createVolume,
  id,
  type ControlPlane,
} from '@brickyard/domain/testing';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { createLogger, type Bus } from '@brickyard/service-host';
import { createTaskRelay } from './task.relay';

describe('the task relay', () => {
  it('sends a running task again under ids that the leader before cannot have used', () => {
    const plane = controlPlane();
    plane.submit({ type: 'CreateCluster', clusterId: id('c1') as never, flags: { file: true, block: true } });
    plane.submit(addNode(1, 1));
    const sent: string[] = [];
    const publishDurable: Bus['publishDurable'] = (_, __, { messageId }) => {
      sent.push(messageId);
      return Promise.resolve({ duplicate: false });
    };
    const log = createLogger({ service: 'spec', level: 'silent' });
    for (const epoch of [1, 2]) {
      const relay = createTaskRelay({ bus: { publishDurable } as Bus, log, epoch });
      relay.sendRunning(plane.state);
      relay.sendRunning(plane.state);
    }
    expect(new Set(sent).size).toBe(4);
  });

  it('holds back what begins many new volumes, and never a device that somebody waits for', () => {
    const devicesKib = Array.from({ length: 3 }, () => 524_288_000);
    const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib })));
    const sent: string[] = [];
    const publishDurable: Bus['publishDurable'] = (_, message) => {
      const { tasks = [message] } = message as { readonly tasks?: readonly unknown[] };
      sent.push(...tasks.map((one) => (one as TaskEnvelope).task.type));
      return Promise.resolve({ duplicate: false });
    };
    const log = createLogger({ service: 'spec', level: 'silent' });
    const relay = createTaskRelay({ bus: { publishDurable } as Bus, log, epoch: 1 });
    const offerNew = (work: () => void): void => {
      const before = plane.log.length;
      work();
      relay.offer(plane.log.slice(before).map(asStored), plane.state);
    };
    const many = Array.from({ length: 12 }, (_, index) => index);
    offerNew(() => {
      for (const index of many) plane.submit(addDevice(1 + (index % 3), 5 + index));
    });
    expect(sent).toEqual(many.map(() => 'PrepareDevice'));
    offerNew(() => {
      for (const index of many) plane.submit(createVolume(`v${String(index)}`, 1));
    });
    expect(sent).not.toContain('CreateBrick');
    relay.stop();
  });
});

/** As the log gives an event that a client's command began. */
function asStored({ position, at, event }: ControlPlane['log'][number]): StoredEvent {
  const { type, version, ...data } = event;
  return { position, type, version, data: data as object, recordedAt: at, metadata: { commandId: 'c' } } as StoredEvent;
}
