/** What hosts said last of their bricks, peers and volumes. Told to people, never decided on. */
import { FACTS_ALL, factsWantedOf, type HostName, NodeFacts, wholeLook, type HostLook } from '@brickyard/contracts';
import type { Bus, Subscription } from '@brickyard/service-host';

/** Hosts remembered; more than any site has. */
const HOSTS_MAX = 10_000;
const LOOK_MS = 100;

/** The last part that came of a host's facts, and the last look that was told to its end. */
interface Heard {
  readonly last: NodeFacts;
  readonly parts: readonly NodeFacts[];
  readonly whole?: HostLook;
}

/** Listens to facts from `listen` to `close`; what was said before is not known. */
export class HostFacts {
  private readonly heard = new Map<string, Heard>();
  private subscription: Subscription | undefined;
  private bus: Bus | undefined;

  /** Begins to listen. */
  listen(bus: Bus): void {
    this.bus = bus;
    this.subscription = bus.subscribe(FACTS_ALL, (payload) => {
      const facts = NodeFacts.safeParse(payload);
      if (facts.success && (this.heard.size < HOSTS_MAX || this.heard.has(facts.data.host))) this.hear(facts.data);
    });
  }

  private hear(last: NodeFacts): void {
    const before = this.heard.get(last.host);
    const isSameLook = before?.last.observedAt === last.observedAt;
    const parts = [...(isSameLook ? before.parts : []), last];
    const whole = parts.length < last.parts ? before?.whole : wholeLook(parts);
    this.heard.set(last.host, { last, parts, ...(whole === undefined ? {} : { whole }) });
  }

  /** The last facts of a host. */
  of(host: string): NodeFacts | undefined {
    return this.heard.get(host)?.last;
  }

  /** Asks hosts to look now, and waits for what they tell; those that tell nothing in time are left out. */
  async ask(hosts: readonly HostName[], patienceMs: number): Promise<readonly HostLook[]> {
    const before = new Map(hosts.map((host) => [host, this.heard.get(host)?.whole?.observedAt] as const));
    for (const host of hosts) this.bus?.publish(factsWantedOf(host), {});
    const until = Date.now() + patienceMs;
    const fresh = (): HostLook[] =>
      hosts.flatMap((host) => {
        const whole = this.heard.get(host)?.whole;
        return whole !== undefined && whole.observedAt !== before.get(host) ? [whole] : [];
      });
    while (fresh().length < hosts.length && Date.now() < until) {
      await new Promise((look) => setTimeout(look, LOOK_MS));
    }
    return fresh();
  }

  /** Stops listening. */
  async close(): Promise<void> {
    await this.subscription?.close();
  }
}
