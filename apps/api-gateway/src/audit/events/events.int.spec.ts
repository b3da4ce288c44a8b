import { request as httpRequest } from 'node:http';
import { event, nextOperation, NODE_1, smallCluster, CLUSTER } from '../../testing/events';
import { GatewayUnderTest } from '../../testing/gateway-under-test';

interface Told {
  readonly position: number;
  readonly type: string;
  readonly stream: string;
}

interface Page {
  readonly position: number;
  readonly events: readonly Told[];
  readonly next?: string;
}

/** A follower that can be stopped and asked what came so far. */
class Follower {
  readonly positions: number[] = [];
  readonly comments: string[] = [];
  private readonly stopper = new AbortController();
  private waiting: (() => void) | undefined;
  private text = '';

  constructor(readonly status: number) {}

  static async of(under: GatewayUnderTest, path: string, headers: Record<string, string> = {}): Promise<Follower> {
    const stopper = new AbortController();
    const response = await under.fetch(path, { headers, signal: stopper.signal });
    const follower = new Follower(response.status);
    stopper.signal.addEventListener('abort', () => undefined);
    follower.stopper.signal.addEventListener('abort', () => {
      stopper.abort();
    });
    void follower.read(response);
    return follower;
  }

  stop(): void {
    this.stopper.abort();
  }

  /** Resolves when a position has come. */
  async reached(position: number): Promise<void> {
    while ((this.positions.at(-1) ?? 0) < position) await new Promise<void>((resolve) => (this.waiting = resolve));
  }

  private async read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        this.text += decoder.decode(chunk as Uint8Array, { stream: true });
        this.take();
      }
    } catch {
      return; // Stopped.
    }
  }

  private take(): void {
    const frames = this.text.split('\n\n');
    this.text = frames.pop() ?? '';
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data === undefined) this.comments.push(frame);
      else this.positions.push((JSON.parse(data) as Told).position);
    }
    this.waiting?.();
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const flags = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    event('ClusterFlagsSet', { clusterId: CLUSTER, flags: { file: true, block: index % 2 === 0 } }),
  );

describe('the log over HTTP', () => {
  let under: GatewayUnderTest;
  let last = 0;
  const operationId = nextOperation();

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    last = await under.record(...smallCluster());
    last = await under.record(event('NodeStateSet', { operationId, nodeId: NODE_1, state: 'offline' }));
    await under.fetch(`/clusters?after=${String(last)}`);
  });
  afterAll(() => under.stop());

  const page = async (query: string): Promise<Page> => (await (await under.fetch(`/v1/events${query}`)).json()) as Page;
  const positions = async (query: string): Promise<number[]> =>
    (await page(query)).events.map(({ position }) => position);

  describe('GET /v1/events', () => {
    it('tells events in order, with who caused them', async () => {
      expect(await page('?limit=2')).toMatchObject({
        events: [
          { position: 1, type: 'ClusterCreated', stream: `cluster-${CLUSTER}`, actor: { name: 'spec' } },
          { position: 2, type: 'NodeAdditionPlanned', correlationId: 'spec' },
        ],
      });
    });

    it('goes from page to page in both directions until nothing is left', async () => {
      for (const order of ['oldest', 'newest']) {
        const seen: number[] = [];
        let path: string | undefined = `/v1/events?limit=3&order=${order}`;
        while (path !== undefined) {
          const { events, next } = (await (await under.fetch(path)).json()) as Page;
          seen.push(...events.map(({ position }) => position));
          path = next;
        }
        expect(seen).toEqual(order === 'oldest' ? range(1, last) : range(1, last).reverse());
      }
    });

    it('filters by stream, type, actor, operation, mention and range', async () => {
      expect(await positions(`?stream=cluster-${CLUSTER}`)).toEqual([1]);
      expect(await positions('?type=NodeAdded,ClusterCreated')).toEqual([1, 3, 5]);
      expect(await positions(`?operation=${operationId}`)).toEqual([last]);
      expect(await positions(`?mentions=${NODE_1}&type=NodeAdded`)).toEqual([5]);
      expect(await positions('?actor=spec&from=3&to=4')).toEqual([3, 4]);
      expect(await positions('?actor=nobody')).toEqual([]);
      expect(await positions('?actor=spec%00')).toEqual([]);
      expect(await positions('?address=%00')).toEqual([]);
      expect(await positions('?address=10.9.8.7')).toEqual([]);
      expect(await positions('?from=3&at=4')).toEqual([3, 4]);
    });

    it('takes times as bounds', async () => {
      const [first] = (await page('?limit=1')).events as readonly (Told & { time: string })[];
      expect(await positions(`?to=${first?.time ?? ''}&limit=1`)).toEqual([1]);
      expect(await positions('?to=2001-01-01T00:00:00Z')).toEqual([]);
      expect((await page('?from=2001-01-01T00:00:00Z&limit=1')).events).toHaveLength(1);
    });

    it.each([
      ['?limit=0', 'query parameter limit must be a whole number from 1 to 10000'],
      ['?type=<x>', 'query parameter type must be event types separated by commas'],
      ['?stream=a&stream=b', 'query parameter stream is given more than once'],
      ['?operation=zz', 'query parameter operation must be the id of an operation'],
      ['?order=up', 'query parameter order must be oldest (first) or newest (first)'],
      ['?from=soon', 'query parameter from must be a position of the log or a time such as 2026-01-31T03:12:00Z'],
      ['?at=999999', 'position 999999 is beyond the end of the log'],
      ['?to=2999-01-01T00:00:00Z', 'time 2999-01-01T00:00:00Z is in the future'],
    ])('refuses %s', async (query, detail) => {
      const response = await under.fetch(`/v1/events${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining(detail) as unknown });
    });
  });

  describe('GET /v1/events/stream', () => {
    it('begins where it is asked to and goes on with what happens', async () => {
      const follower = await Follower.of(under, '/v1/events/stream?from=2');
      await follower.reached(last);
      last = await under.record(...flags(3));
      await follower.reached(last);
      follower.stop();
      expect(follower.positions).toEqual(range(2, last));
    });

    it('resumes after the last event a client has seen, and misses nothing', async () => {
      const first = await Follower.of(under, '/v1/events/stream?from=1');
      await first.reached(5);
      first.stop();
      const seen = first.positions.at(-1) ?? 0;
      last = await under.record(...flags(10));
      const second = await Follower.of(under, '/v1/events/stream', { 'last-event-id': String(seen) });
      await second.reached(last);
      second.stop();
      expect([...first.positions, ...second.positions]).toEqual(range(1, last));
    });

    it('sends what passes a filter', async () => {
      const follower = await Follower.of(under, '/v1/events/stream?from=1&type=NodeAdded,ClusterFlagsSet');
      last = await under.record(...flags(1));
      await follower.reached(last);
      follower.stop();
      expect(follower.positions.slice(0, 2)).toEqual([3, 5]);
    });

    it('gives everybody everything while thousands of events come and one client takes nothing', async () => {
      const start = last + 1;
      const followers = await Promise.all(
        range(1, 10).map(() => Follower.of(under, `/v1/events/stream?from=${String(start)}`)),
      );
      const idle = httpRequest(`${under.gateway.url}/v1/events/stream?from=1`);
      idle.on('response', (response) => response.pause());
      idle.on('error', () => undefined);
      idle.end();
      for (let turn = 0; turn < 20; turn++) last = await under.record(...flags(250));
      await Promise.all(followers.map((follower) => follower.reached(last)));
      idle.destroy();
      for (const follower of followers) {
        follower.stop();
        expect(follower.positions).toEqual(range(start, last));
      }
    });

    it('goes on after Postgres was away', async () => {
      const follower = await Follower.of(under, '/v1/events/stream');
      under.postgres.cut();
      const behind = await Follower.of(under, `/v1/events/stream?from=${String(last)}`);
      under.postgres.mend();
      last = await under.record(...flags(1));
      await Promise.all([follower.reached(last), behind.reached(last)]);
      follower.stop();
      behind.stop();
      expect(follower.positions).toEqual([last]);
      expect(behind.positions).toEqual([last - 1, last]);
    });

    it.each([
      ['/v1/events/stream?from=9999999', {}],
      ['/v1/events/stream', { 'last-event-id': 'x' }],
      ['/v1/events/stream', { 'last-event-id': '9999999' }],
    ])('refuses %s %j', async (path, headers) => {
      expect((await under.fetch(path, { headers: headers as Record<string, string> })).status).toBe(400);
    });
  });

  it('tells what somebody did, and that nobody of that name did anything', async () => {
    const done = (await (await under.fetch('/v1/history/actors/spec?limit=2')).json()) as Page;
    expect(done.events.map(({ position }) => position)).toEqual([last - 1, last]);
    for (const name of ['nobody', 'spec%00']) {
      expect((await under.fetch(`/v1/history/actors/${name}`)).status).toBe(404);
    }
  });
});
