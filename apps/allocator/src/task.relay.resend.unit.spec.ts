import { addNode, controlPlane, id } from '@brickyard/domain/testing';
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
});
