import { DeviceId, factsOf, factsWantedOf, HostName, NodeFacts } from '@brickyard/contracts';
import { createLogger } from '@brickyard/service-host';
import { type FactsPublisher, publishFacts } from './facts.publisher';
import type { HostReaders } from './host-facts';

const HOST = HostName.parse('10.0.0.1');
const DEVICE = DeviceId.parse('d'.repeat(32));

describe('what an agent tells of its host', () => {
  const told: NodeFacts[] = [];
  let totalKib: number;
  let looks: number;
  let ask: (payload: unknown, subject: string) => void;
  let publisher: FactsPublisher;

  const drivers: HostReaders = {
    bricks: {
      kind: 'loop-xfs',
      clones: false,
      readBricks: () => Promise.resolve([]),
      readDevices: () => {
        looks += 1;
        return Promise.resolve([{ deviceId: DEVICE, name: '/dev/sdb', totalKib }]);
      },
    },
    volumes: {
      readHealth: () => Promise.resolve('stopped'),
      readHeal: () => Promise.resolve(undefined),
      readIdle: () => Promise.resolve(new Map()),
      readPeers: () => Promise.resolve([]),
      readVolumes: () => Promise.resolve([]),
    },
  };
  const subscription = { close: () => Promise.resolve() };

  beforeEach(async () => {
    jest.useFakeTimers();
    [told.length, totalKib, looks] = [0, 1_024, 0];
    publisher = publishFacts({
      bus: {
        connected: true,
        published: () => Promise.resolve(),
        onConnected: () => () => undefined,
        respond: () => subscription,
        subscribe: (subject, handler) => {
          if (subject === factsWantedOf(HOST)) ask = handler;
          return subscription;
        },
        publish: (subject, payload) => {
          if (subject === factsOf(HOST)) told.push(NodeFacts.parse(payload));
        },
      },
      log: createLogger({ service: 'spec', level: 'silent' }),
      host: HOST,
      incarnation: 'one',
      simulated: false,
      seenGeneration: () => 0,
      drivers,
    });
    await jest.advanceTimersByTimeAsync(1_000);
  });

  afterEach(async () => {
    await publisher.close();
    jest.useRealTimers();
  });

  it('once a minute anyhow, with one look', async () => {
    await jest.advanceTimersByTimeAsync(60_000);
    expect([told.length, looks]).toEqual([2, 2]);
    expect(told[0]?.devices).toEqual(told[1]?.devices);
  });

  it('that a device has grown, which nothing announces, within a minute', async () => {
    totalKib = 2_048;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(told.at(-1)?.devices).toMatchObject([{ deviceId: DEVICE, totalKib }]);
  });

  it('when somebody asks, though it was told before; not when it looks and sees nothing new', async () => {
    ask({}, factsWantedOf(HOST));
    await jest.advanceTimersByTimeAsync(1_000);
    expect(told).toHaveLength(2);
    publisher.touch();
    await jest.advanceTimersByTimeAsync(1_000);
    expect([told.length, looks]).toEqual([2, 3]);
  });
});
