/** What the operations work with. */
import type { Logger } from '@brickyard/service-host';
import type { Exchange } from './http/exchange';
import type { ObjectStore } from './store/object-store';

export interface Gateway {
  /** Throws while there is no volume. */
  readonly store: () => ObjectStore;
  /** What the gateway calls its place. */
  readonly region: string;
  readonly log: Logger;
  readonly now: () => number;
  /** How long a client gets nothing while a completion goes on. */
  readonly keepAliveMs: number;
}

export type Operation = (gateway: Gateway, exchange: Exchange) => Promise<void>;
