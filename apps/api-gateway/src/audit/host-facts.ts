/** What hosts said last of their bricks, peers and volumes. Told to people, never decided on. */
import { FACTS_ALL, NodeFacts } from '@brickyard/contracts';
import type { Bus, Subscription } from '@brickyard/service-host';

/** Hosts remembered; more than any site has. */
const HOSTS_MAX = 10_000;

/** Listens to facts from `listen` to `close`; what was said before is not known. */
export class HostFacts {
  private readonly heard = new Map<string, NodeFacts>();
  private subscription: Subscription | undefined;

  /** Begins to listen. */
  listen(bus: Bus): void {
    this.subscription = bus.subscribe(FACTS_ALL, (payload) => {
      const facts = NodeFacts.safeParse(payload);
      if (facts.success && (this.heard.size < HOSTS_MAX || this.heard.has(facts.data.host))) {
        this.heard.set(facts.data.host, facts.data);
      }
    });
  }

  /** The last facts of a host. */
  of(host: string): NodeFacts | undefined {
    return this.heard.get(host);
  }

  /** Stops listening. */
  async close(): Promise<void> {
    await this.subscription?.close();
  }
}
