import { dropDatabase } from '@brickyard/servers';
import { type StoredEvent, Unavailable } from '../event-log';
import { openLedgerReader } from './ledger-reader';
import { startRelay } from './relay';
import { add, LEDGER, metadata, openTally, tallyDatabase, type TallyWriter } from './tally.spec-ledger';
import type { LedgerReader, Relay } from './types';

let url: string;
let reader: LedgerReader;

beforeEach(async () => {
  url = await tallyDatabase();
  reader = openLedgerReader({ url, ledger: LEDGER, role: 'writer' });
});

afterEach(async () => {
  await reader.close();
  await dropDatabase(url);
});

/** A bus that keeps what it got, and is away when told so. */
function bus(): {
  got: number[];
  away: boolean;
  failures: number;
  publish(events: readonly StoredEvent[]): Promise<void>;
} {
  return {
    got: [],
    away: false,
    failures: 0,
    publish(events) {
      if (this.away) {
        this.failures += 1;
        return Promise.reject(new Error('the bus is away'));
      }
      this.got.push(...events.map(({ position }) => position));
      return Promise.resolve();
    },
  };
}

async function submitMany(writer: TallyWriter, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => writer.submit({ command: add('s', 1), metadata })));
}

const upTo = (last: number, from = 1): number[] => Array.from({ length: last - from + 1 }, (_, index) => from + index);

describe('Relay', () => {
  it('publishes what was committed before it started and what is handed to it, in order', async () => {
    const target = bus();
    const offered: { relay?: Relay } = {};
    const { writer } = await openTally(url, { onCommitted: (events) => offered.relay?.offer(events) });
    await submitMany(writer, 1_300);
    const relay = await startRelay({ reader, cursorName: 'bus', publish: (events) => target.publish(events) });
    offered.relay = relay;
    await submitMany(writer, 1_000);
    await relay.published(2_300);
    expect(target.got).toEqual(upTo(2_300));
    await relay.close();
    expect(await reader.cursor('bus')).toBe(2_300);
    await writer.close();
  });

  it('publishes after a crash between append and publish exactly what is missing', async () => {
    const target = bus();
    const { writer } = await openTally(url);
    await submitMany(writer, 700);
    const first = await startRelay({ reader, cursorName: 'bus', publish: (events) => target.publish(events) });
    await first.published(700);
    await first.close();
    await submitMany(writer, 50); // Appended, and nobody was there to publish.
    const second = await startRelay({ reader, cursorName: 'bus', publish: (events) => target.publish(events) });
    await second.published(750);
    expect(target.got).toEqual(upTo(750));
    await second.close();
    await writer.close();
  });

  it('stops at a failure, leaves nothing out, and goes on when the bus is back', async () => {
    const target = bus();
    const offered: { relay?: Relay } = {};
    const { writer } = await openTally(url, { onCommitted: (events) => offered.relay?.offer(events) });
    let tellTrouble: (error: unknown) => void = () => undefined;
    const trouble = new Promise((resolve) => (tellTrouble = resolve));
    const relay = await startRelay({
      reader,
      cursorName: 'bus',
      publish: (events) => target.publish(events),
      onTrouble: tellTrouble,
    });
    offered.relay = relay;
    await submitMany(writer, 10);
    await relay.published(10);
    target.away = true;
    await submitMany(writer, 11_000 / 4);
    await expect(trouble).resolves.toMatchObject({ message: 'the bus is away' });
    for (let round = 0; round < 3; round += 1) await submitMany(writer, 11_000 / 4); // More than it keeps in memory.
    expect(target.got).toEqual(upTo(10));
    target.away = false;
    relay.retryNow();
    await relay.published(11_010);
    expect(target.got).toEqual(upTo(11_010));
    await relay.close();
    await writer.close();
  });

  it('retries by itself, and tells who still waits when it is closed', async () => {
    const target = bus();
    target.away = true;
    const { writer } = await openTally(url);
    await submitMany(writer, 1);
    const relay = await startRelay({
      reader,
      cursorName: 'bus',
      publish: (events) => target.publish(events),
      onTrouble: () => (target.away = target.failures < 2),
    });
    await relay.published(1);
    expect(target.failures).toBe(2);
    const never = relay.published(2);
    await Promise.all([expect(never).rejects.toBeInstanceOf(Unavailable), relay.close()]);
    await writer.close();
  });
});
