/** What node agents say of themselves: the last heartbeat of each. Told to people, never decided on. */
import { Heartbeat, heartbeatOf, HEARTBEATS_ALL } from '@brickyard/contracts';
import type { Bus, Subscription } from '@brickyard/service-host';

/** An agent as last heard of. */
export interface HeardAgent {
  readonly heartbeat: Heartbeat;
  readonly heardAt: string;
  /** False when the next heartbeats are overdue. */
  readonly isAlive: boolean;
}

/** Missed heartbeats before an agent counts as silent here. */
const MISSED_MAX = 3;
/** Agents remembered; more than any site has. */
const AGENTS_MAX = 10_000;

/** Listens to heartbeats from `listen` to `close`. */
export class AgentWatch {
  private readonly heard = new Map<string, { heartbeat: Heartbeat; at: number }>();
  private subscription: Subscription | undefined;

  /** Begins to listen. */
  listen(bus: Bus): void {
    this.subscription = bus.subscribe(HEARTBEATS_ALL, (payload, subject) => {
      const heartbeat = Heartbeat.safeParse(payload);
      if (heartbeat.success && subject === heartbeatOf(heartbeat.data.host)) this.remember(heartbeat.data);
    });
  }

  /** The agent that answers to a host name, when it was heard since this gateway started. */
  of(host: string): HeardAgent | undefined {
    const known = this.heard.get(host);
    if (known === undefined) return undefined;
    const isAlive = Date.now() - known.at <= known.heartbeat.intervalMs * MISSED_MAX;
    return { heartbeat: known.heartbeat, heardAt: new Date(known.at).toISOString(), isAlive };
  }

  /** Every agent heard since this gateway started, by host name. */
  all(): readonly HeardAgent[] {
    return [...this.heard.keys()].sort().flatMap((host) => this.of(host) ?? []);
  }

  private remember(heartbeat: Heartbeat): void {
    if (this.heard.size >= AGENTS_MAX && !this.heard.has(heartbeat.host)) return;
    this.heard.set(heartbeat.host, { heartbeat, at: Date.now() });
  }

  /** Stops listening. */
  async close(): Promise<void> {
    await this.subscription?.close();
  }
}
