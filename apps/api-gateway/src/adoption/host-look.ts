/** Looks at hosts through their agents, whether the log knows the hosts or not. */
import { FACTS_ALL, factsWantedOf, type HostName, type HostsAnswer, NodeFacts } from '@brickyard/contracts';
import type { Bus } from '@brickyard/service-host';

/** A host that is busy takes a while to ask its Gluster. */
const PATIENCE_MS = 15_000;
/** Looks that may run at once; one asks every agent it names. */
const LOOKS_MAX = 4;

type Look = HostsAnswer['hosts'][number];

/** Asks agents what their hosts look like. */
export class HostLook {
  private bus: Bus | undefined;
  private running = 0;

  join(bus: Bus): void {
    this.bus = bus;
  }

  /** Every host as it says it is now, in the order asked for; those that say nothing in time are silent. */
  async at(hosts: readonly HostName[]): Promise<HostsAnswer> {
    const { bus } = this;
    if (bus === undefined || this.running >= LOOKS_MAX) return { hosts: [], silent: [...hosts] };
    this.running += 1;
    const waiting = new Set<string>(hosts);
    const parts = new Map<string, NodeFacts[]>();
    const looks = new Map<string, Look>();
    let done: () => void = () => undefined;
    const complete = new Promise<void>((resolve) => (done = resolve));
    const subscription = bus.subscribe(FACTS_ALL, (payload) => {
      const facts = NodeFacts.safeParse(payload).data;
      if (facts === undefined || !waiting.has(facts.host)) return;
      const whole = wholeOf(parts, facts);
      if (whole === undefined) return;
      looks.set(facts.host, whole);
      waiting.delete(facts.host);
      if (waiting.size === 0) done();
    });
    const timer = setTimeout(done, PATIENCE_MS);
    try {
      for (const host of hosts) bus.publish(factsWantedOf(host), {});
      await complete;
    } finally {
      clearTimeout(timer);
      await subscription.close();
      this.running -= 1;
    }
    return { hosts: hosts.flatMap((host) => looks.get(host) ?? []), silent: [...waiting] };
  }
}

/** The look that a message completes; undefined while parts of it are missing. */
function wholeOf(known: Map<string, NodeFacts[]>, facts: NodeFacts): Look | undefined {
  const key = `${facts.host} ${facts.observedAt}`;
  const parts = [...(known.get(key) ?? []), facts];
  known.set(key, parts);
  if (parts.length < facts.parts) return undefined;
  const { part: _, parts: __, ...look } = [...parts].sort((one, other) => one.part - other.part)[0] ?? facts;
  return {
    ...look,
    devices: parts.flatMap(({ devices }) => devices),
    bricks: parts.flatMap(({ bricks }) => bricks),
    peers: parts.flatMap(({ peers }) => peers),
    volumes: parts.flatMap(({ volumes }) => volumes),
  };
}
