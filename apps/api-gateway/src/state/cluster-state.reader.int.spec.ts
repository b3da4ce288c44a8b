import { type ControlEvent, eventsOf } from '@brickyard/contracts';
import { encodeSnapshot, FOLD_VERSION } from '@brickyard/domain';
import { openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { connectBus, createLogger } from '@brickyard/service-host';
import {
  CLUSTER,
  event,
  NODE_1,
  nextOperation,
  smallCluster,
  VOLUME,
  volumePlanned,
  volumeSpec,
} from '../testing/events';
import { GatewayUnderTest } from '../testing/gateway-under-test';
import { ClusterStateReader } from './cluster-state.reader';

const log = createLogger({ service: 'spec', level: 'silent' });

/** Flags set again and again: as many events as wanted. */
const flags = (count: number): ControlEvent[] =>
  Array.from({ length: count }, (_, index) =>
    event('ClusterFlagsSet', { clusterId: CLUSTER, flags: { file: true, block: index % 2 === 0 } }),
  );

/** Tries until a condition holds; the spec's own time limit ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the state of the gateway', () => {
  let under: GatewayUnderTest;
  let start = 0;
  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    start = await under.record(...smallCluster());
  });
  afterAll(() => under.stop());

  const get = async (path: string): Promise<unknown[]> => {
    const response = await under.fetch(path);
    return [response.status, await response.text(), response.headers.get('x-brickyard-position')];
  };

  it('waits for a position that is asked for', async () => {
    const waiting = get(`/clusters/${CLUSTER}?after=${String(start + 1)}`);
    const position = await under.record(...flags(1));
    expect(await waiting).toEqual([200, expect.stringContaining('"block":true'), String(position)]);
  });

  it('answers as of any position, and as of any time', async () => {
    const operationId = nextOperation();
    const planned = await under.record(volumePlanned(VOLUME, volumeSpec('then'), [], operationId));
    const created = await under.record(event('VolumeCreated', { operationId, volumeId: VOLUME }));
    const list = `{"volumes":["${VOLUME}"]}\n`;
    expect(await get(`/volumes?after=${String(created)}`)).toEqual([200, list, String(created)]);
    expect(await get(`/volumes?at=${String(planned)}`)).toEqual([200, '{"volumes":[]}\n', String(planned)]);
    expect(await get(`/clusters?at=0`)).toEqual([200, '{"clusters":[]}\n', '0']);
    const history = (await (await under.fetch(`/v1/history/volumes/${VOLUME}`)).json()) as {
      readonly events: readonly { readonly position: number; readonly time: string; readonly type: string }[];
    };
    const [planning, creation] = history.events;
    expect([planning?.type, creation?.type]).toEqual(['VolumePlanned', 'VolumeCreated']);
    const time = encodeURIComponent(String(creation?.time));
    expect(await get(`/volumes?at=${time}`)).toEqual([200, list, String(created)]);
    for (const before of ['2001-01-01T00:00:00%2B02:00', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00%2B01:00']) {
      expect(await get(`/volumes?at=${before}`)).toEqual([200, '{"volumes":[]}\n', '0']);
    }
    expect((await get(`/volumes/${VOLUME}?at=${String(planned)}`)).slice(0, 2)).toEqual([404, 'Id not found\n']);
  });

  it.each([
    ['at=soon', /at must be a position of the log or a time/],
    ['at=-1', /at must be/],
    ['at=2030-01-01', /at must be/],
    ['at=2990-01-01T00:00:00Z', /is in the future/],
    ['at=1&at=2', /given more than once/],
    ['after=x', /after must be a position/],
  ])('refuses ?%s with 400', async (query, text) => {
    const response = await under.fetch(`/clusters?${query}`);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(text);
  });

  it('refuses a position beyond the end of the log', async () => {
    expect((await get('/clusters?at=999999')).slice(0, 2)).toEqual([
      400,
      expect.stringContaining('beyond the end of the log'),
    ]);
  });

  it('fetches what the bus has lost, and skips what it says twice', async () => {
    const deaf = await connectBus({ url: under.natsUrl, name: 'spec', log });
    const ledger = openLedgerReader({ url: under.databaseUrl, ledger: 'control' });
    const reader = new ClusterStateReader({ ledger, log });
    reader.start();
    reader.follow(deaf);
    const { position } = await reader.latest();
    const stored = [];
    for await (const events of ledger.read({ after: 0 })) stored.push(...events);
    const unseen = await under.recordSilently(...flags(3));
    expect(reader.position).toBe(position);
    under.bus.publish(eventsOf('control'), { events: stored.slice(-2) });
    const last = await under.record(...flags(1));
    expect(last).toBe(unseen + 1);
    expect(await reader.waitFor(last, 5_000)).toBe(true);
    expect(reader.position).toBe(last);
    const silent = await under.recordSilently(...flags(1));
    expect(await reader.waitFor(silent, 5_000)).toBe(true);
    await reader.close();
    await deaf.drain();
    await ledger.close();
  });

  it('is the same from a snapshot as from the first event, now and in the past', async () => {
    await under.recordSilently(...flags(2_500)); // Too much for one message of the bus.
    const last = await under.record(...flags(1));
    await under.fetch(`/clusters?after=${String(last)}`);
    const ledger = openLedgerReader({ url: under.databaseUrl, ledger: 'control', role: 'writer' });
    const fromZero = new ClusterStateReader({ ledger, log });
    fromZero.start();
    const now = await fromZero.latest();
    const past = await fromZero.at(last - 7);
    const far = await fromZero.at(2_000);
    await ledger.saveSnapshot({
      position: far.position,
      foldVersion: FOLD_VERSION,
      chunks: [...encodeSnapshot(far.state)],
    });
    const fromSnapshot = new ClusterStateReader({ ledger, log });
    fromSnapshot.start();
    const again = await fromSnapshot.latest();
    expect(again.position).toBe(now.position);
    expect([...encodeSnapshot(again.state)]).toEqual([...encodeSnapshot(now.state)]);
    expect([...encodeSnapshot((await fromSnapshot.at(last - 7)).state)]).toEqual([...encodeSnapshot(past.state)]);
    expect((await fromSnapshot.at(start)).state.nodes.has(NODE_1)).toBe(true);
    await fromZero.close();
    await fromSnapshot.close();
    await ledger.close();
  });

  it('stays readable while Postgres and NATS are away, and goes on when they are back', async () => {
    await until(() => under.isReady());
    under.postgres.cut();
    under.killNats();
    await until(async () => !(await under.isReady()));
    const response = await under.fetch(`/clusters/${CLUSTER}`);
    expect(response.status).toBe(200);
    expect((await under.fetch('/clusters?at=1')).status).toBe(503);
    await under.restartNats();
    const missed = await under.recordSilently(...flags(2));
    under.postgres.mend();
    await until(() => under.isReady());
    expect((await get(`/clusters?after=${String(missed)}`))[0]).toBe(200);
    const next = await under.record(...flags(1));
    await until(async () => (await under.fetch('/clusters')).headers.get('x-brickyard-position') === String(next));
  }, 30_000);
});

describe('a gateway that starts before Postgres and NATS', () => {
  it('listens, says that it is not ready, and becomes ready by itself', async () => {
    const under = await GatewayUnderTest.start({}, { isCutOff: true });
    expect(await under.isReady()).toBe(false);
    const early = await under.fetch('/clusters');
    expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await early.text()).toBe('Service unavailable: the state is being loaded from Postgres\n');
    expect((await under.fetch('/hello')).status).toBe(200);
    under.postgres.mend();
    under.natsWay.mend();
    await until(() => under.isReady());
    expect((await under.fetch('/clusters')).status).toBe(200);
    await under.stop();
  }, 30_000);
});
