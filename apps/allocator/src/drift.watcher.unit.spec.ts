import { factsOf, factsWantedOf, HostName, type NodeFacts } from '@brickyard/contracts';
import { clusterOf } from '@brickyard/domain/testing';
import { createLogger } from '@brickyard/service-host';
import { type DriftWatcher, watchDrift } from './drift.watcher';

const { state } = clusterOf([{ zone: 1, devicesKib: [] }]);
const [node] = [...state.nodes.values()];
if (node === undefined) throw new Error('the cluster has no node');
const HOST = HostName.parse(node.hostnames.manage[0]);

describe('how often a host is asked to look at itself', () => {
  let asked: number;
  let hear: (payload: unknown, subject: string) => void;
  let watcher: DriftWatcher;

  beforeEach(() => {
    jest.useFakeTimers();
    asked = 0;
    watcher = watchDrift({
      bus: {
        publish: (subject) => {
          if (subject === factsWantedOf(HOST)) asked += 1;
        },
        subscribe: (_, handler) => {
          hear = handler;
          return { close: () => Promise.resolve() };
        },
      },
      log: createLogger({ service: 'spec', level: 'silent' }),
      state: () => state,
      policy: 'none',
      submit: () => Promise.resolve(),
    });
  });

  afterEach(async () => {
    await watcher.stop();
    jest.useRealTimers();
  });

  const tell = (): void => {
    const facts: NodeFacts = {
      host: HOST,
      incarnation: 'one',
      observedAt: new Date().toISOString(),
      part: 0,
      parts: 1,
      glusterd: 'stopped',
      simulated: false,
      devices: [],
      bricks: [],
      peers: [],
      volumes: [],
    };
    hear(facts, factsOf(HOST));
  };

  it('once, when the watch begins, while it tells once a minute by itself', async () => {
    for (let minute = 0; minute < 10; minute += 1) {
      tell();
      await jest.advanceTimersByTimeAsync(60_000);
    }
    expect(asked).toBe(1);
    expect(watcher.standing()).toMatchObject({ compared: 1, silent: 0 });
  });

  it('again and again when what it told is overdue, before that counts no more', async () => {
    tell();
    await jest.advanceTimersByTimeAsync(85_000);
    expect(asked).toBeGreaterThan(1);
    expect(watcher.standing()).toMatchObject({ compared: 1, silent: 0 });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(watcher.standing()).toMatchObject({ compared: 0, silent: 1 });
  });
});
