/** The bus as those see it who are there before it: requests are refused until it is connected. */
import { type Bus, Unavailable } from '@brickyard/service-host';

/** Holds the bus from the moment there is one. */
export class BusLink {
  private bus: Bus | undefined;
  private isClosed = false;

  /** Called once, when the first connection is made; false when that is too late. */
  join(bus: Bus): boolean {
    this.bus = bus;
    if (this.isClosed) void bus.drain();
    return !this.isClosed;
  }

  /** Rejects `Unavailable` when nobody answers in time, and at once while there is no connection. */
  request(subject: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    if (this.bus === undefined) return Promise.reject(new Unavailable('NATS is not reachable'));
    return this.bus.request(subject, payload, { timeoutMs });
  }

  /** Waits for running handlers and closes the connection. */
  async drain(): Promise<void> {
    this.isClosed = true;
    await this.bus?.drain();
  }
}
