/** What only the leader hands on from the log: the copy on the volume, and webhooks. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { LedgerReader, Relay } from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger, type Metrics } from '@brickyard/service-host';
import type { ContentStore } from '../bytes/content-store';
import type { ConfigFile } from '../config-file';
import { startWebhook } from '../history/webhooks';
import type { RegistrySettings } from '../settings';
import { startFactsCopy } from './facts-copy';

const AGAIN_MS = 1_000;

export interface RelaysOptions {
  readonly settings: Pick<RegistrySettings, 'publicUrl' | 'instance'>;
  readonly config: ConfigFile;
  readonly reader: LedgerReader;
  readonly store: () => ContentStore;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface Relays {
  /** This replica leads: begin. */
  lead(): void;
  /** It does not any more. */
  follow(): void;
  offer(events: readonly StoredEvent[]): void;
  stop(): Promise<void>;
}

/** Starts nothing before this replica leads. */
export function createRelays({ settings, config, reader, store, log, metrics }: RelaysOptions): Relays {
  const sent = metrics.counter({
    name: 'registry_notifications_events_total',
    help: 'Events that webhooks have taken.',
  });
  const { publicUrl: baseUrl, instance } = settings;
  const starts = [
    () => startFactsCopy(reader, store, log),
    ...config.webhooks.map((webhook) => () => startWebhook({ webhook, reader, baseUrl, instance, log, sent })),
  ];
  let term = new AbortController();
  let relays: Relay[] = [];

  const begin = async (start: () => Promise<Relay>, { signal }: AbortController): Promise<void> => {
    while (!signal.aborted) {
      try {
        const relay = await start();
        if (isOver(signal)) await relay.close();
        else relays.push(relay);
        return;
      } catch (error) {
        log.warn({ reason: describeError(error) }, 'events cannot be handed on yet');
        await new Promise((done) => setTimeout(done, AGAIN_MS));
      }
    }
  };
  const end = async (): Promise<void> => {
    term.abort();
    const ending = relays;
    relays = [];
    await Promise.all(ending.map((relay) => relay.close().catch(() => undefined)));
  };
  return {
    lead() {
      term = new AbortController();
      for (const start of starts) void begin(start, term);
    },
    follow() {
      void end();
    },
    offer(events) {
      for (const relay of relays) relay.offer(events);
    },
    stop: end,
  };
}

/** A question of its own, as it may become true during any await. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;
