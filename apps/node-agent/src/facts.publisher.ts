/** What the agent says unasked: that it lives, and what its host looks like, when that has changed and once a minute. */
import {
  factsOf,
  factsWantedOf,
  type Heartbeat,
  heartbeatOf,
  type HostLook,
  type HostName,
  type NodeFacts,
  probeOf,
  type ProbeReply,
} from '@brickyard/contracts';
import { type Bus, describeError, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import type { AgentMetrics } from './agent-metrics';
import { hasHealEntries } from './heal-index';
import { type HostReaders, lookAtHost, messagesOf } from './host-facts';

export const HEARTBEAT_MS = 2_000;
/** A probe is answered within a second, if need be with what was known a moment ago. */
const HEALTH_PATIENCE_MS = 700;
/**
 * What nothing announces (a device that grew) is found when nobody has looked for so long, and told anyhow, so that nobody
 * need ask: a look starts several programs. Short of a minute, since a difference counts at the second look.
 */
const FACTS_MS = 55_000;
const SIGNATURE_MS = 1_000;
const HEAL_MS = 50_000;

/** The host to speak for. */
export interface FactsOptions {
  readonly bus: Pick<Bus, 'connected' | 'onConnected' | 'publish' | 'published' | 'respond' | 'subscribe'>;
  readonly log: Logger;
  readonly host: HostName;
  readonly incarnation: string;
  readonly simulated: boolean;
  readonly drivers: HostReaders;
  /** The newest order this host has seen. */
  readonly seenGeneration: () => number;
  /** Absent: nobody counts. */
  readonly metrics?: AgentMetrics | undefined;
  /** True while the host shall seem switched off. */
  readonly isSilent?: () => boolean;
  /** Called when what was said at this moment of `performance.now()` has reached the bus. */
  readonly onHeard?: (saidAt: number) => void;
  /** Changes when something on the host does: then the host is looked at at once, not only now and then. */
  readonly signature?: () => Promise<string>;
  /** Called with every look at the host, told or not. */
  readonly onLook?: (look: HostLook) => void;
  /** Called when glusterd is found running after it was not. */
  readonly onGlusterdStarted?: () => void;
}

/** Speaks for one host until it is closed. */
export interface FactsPublisher extends Subscription {
  /** Something may have changed: facts are looked at soon. */
  touch(): void;
}

/** Begins to speak for a real host: heartbeats, answers to probes, facts. */
export function publishFacts(options: FactsOptions): FactsPublisher {
  const publisher = new HostFacts(options);
  publisher.start();
  return publisher;
}

class HostFacts implements FactsPublisher {
  private health: 'running' | 'stopped' = 'stopped';
  private lastFacts = '';
  private healPending = new Map<string, number>();
  private healReadAt = 0;
  private looking: Promise<void> | undefined;
  private readingHeal: Promise<void> | undefined;
  private lookAgain = false;
  private tellAnyhow = false;
  private signature = '';
  private regular: NodeJS.Timeout | undefined;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly ends: (() => unknown)[] = [];

  constructor(private readonly options: FactsOptions) {}

  start(): void {
    const { bus, host } = this.options;
    this.ends.push(
      bus.onConnected(() => {
        void this.beat();
        this.tell();
      }),
    );
    const asked = bus.subscribe(factsWantedOf(host), () => {
      this.tell();
    });
    this.ends.push(() => asked.close());
    const probes = bus.respond(probeOf(host), async () => {
      if (this.options.isSilent?.() === true) throw new Unavailable(`${host} is switched off`);
      return this.identity(await this.readHealth());
    });
    this.ends.push(() => probes.close());
    this.timers.push(setInterval(() => void this.beat(), HEARTBEAT_MS));
    const { signature } = this.options;
    if (signature !== undefined) this.timers.push(setInterval(() => void this.watch(signature), SIGNATURE_MS));
    void this.beat();
    this.touch();
  }

  private identity(glusterd: 'running' | 'stopped'): ProbeReply {
    const { host, incarnation, simulated, drivers } = this.options;
    const { kind: brickDriver, clones } = drivers.bricks;
    return { host, incarnation, glusterd, simulated, brickDriver, clones };
  }

  /** How glusterd is; after a moment without answer, how it was. */
  private async readHealth(): Promise<'running' | 'stopped'> {
    const look = this.options.drivers.volumes.readHealth().then(
      (health) => {
        const hasStarted = this.health === 'stopped' && health === 'running';
        this.health = health;
        this.options.metrics?.glusterdUp.set(health === 'running' ? 1 : 0);
        if (hasStarted) {
          this.options.onGlusterdStarted?.();
          this.touch(); // Nobody has heard yet what it knows.
        }
        return health;
      },
      () => this.health,
    );
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'running' | 'stopped'>((resolve) => {
      timer = setTimeout(() => {
        resolve(this.health);
      }, HEALTH_PATIENCE_MS);
    });
    return Promise.race([look, patience]).finally(() => {
      clearTimeout(timer);
    });
  }

  private async beat(): Promise<void> {
    const { bus, host, isSilent, onHeard } = this.options;
    const heartbeat: Heartbeat = { ...this.identity(await this.readHealth()), intervalMs: HEARTBEAT_MS };
    if (isSilent?.() === true) return;
    const saidAt = performance.now();
    bus.publish(heartbeatOf(host), heartbeat);
    const isHeard = await bus.published().then(
      () => true,
      () => false, // The next beat comes soon.
    );
    if (isHeard) onHeard?.(saidAt);
  }

  /** Looks, and tells what is seen even when it was told before. */
  private tell(): void {
    this.tellAnyhow = true;
    this.touch();
  }

  private async watch(signature: () => Promise<string>): Promise<void> {
    // What cannot be read now is read a second later; the regular look tells of it.
    const seen = await signature().catch(() => this.signature);
    if (seen === this.signature) return;
    this.signature = seen;
    this.touch();
  }

  touch(): void {
    if (this.timers.length === 0) return; // Not begun, or closed.
    if (this.looking !== undefined) {
      this.lookAgain = true;
      return;
    }
    this.lookAgain = false;
    this.looking = this.look()
      .catch((error: unknown) => {
        this.options.log.warn({ err: error }, `the facts of this host cannot be read: ${describeError(error)}`);
      })
      .finally(() => {
        this.looking = undefined;
        if (this.lookAgain) this.touch();
        else if (this.timers.length > 0) this.lookInAWhile();
      });
  }

  private lookInAWhile(): void {
    clearTimeout(this.regular);
    this.regular = setTimeout(() => {
      this.tell();
    }, FACTS_MS);
  }

  private async look(): Promise<void> {
    const { bus, host, incarnation, simulated, drivers } = this.options;
    const anyhow = this.tellAnyhow;
    this.tellAnyhow = false;
    const identity = { host, incarnation, simulated, seenGeneration: this.options.seenGeneration() };
    const look = await lookAtHost(identity, drivers, await this.readHealth(), this.healPending);
    this.options.onLook?.(look);
    // What was asked of the host is no news of it.
    const { observedAt: _, seenGeneration: __, ...facts } = look;
    const text = JSON.stringify(facts);
    if (this.options.isSilent?.() !== true && bus.connected && (anyhow || text !== this.lastFacts)) {
      this.lastFacts = text;
      for (const message of messagesOf(look)) bus.publish(factsOf(host), message);
    }
    const started = look.volumes.filter(({ status }) => status === 'started');
    // Gluster may be long over its answer: no look waits for it.
    this.readingHeal ??= this.readHeal(started).finally(() => (this.readingHeal = undefined));
  }

  /** Asking costs a process a volume: seldom, one after the other, and only where bricks have something to tell. */
  private async readHeal(volumes: NodeFacts['volumes']): Promise<void> {
    if (Date.now() - this.healReadAt < HEAL_MS) return;
    this.healReadAt = Date.now();
    const found = new Map<string, number>();
    for (const { name, bricks } of volumes) {
      const paths = bricks.map((brick) => brick.slice(brick.indexOf(':') + 1));
      // What cannot be looked at, Gluster is asked about. Simulated bricks have no index.
      const hasEntries = this.options.simulated ? undefined : await hasHealEntries(paths).catch(() => undefined);
      const isQuiet = hasEntries === false;
      const pending = isQuiet ? 0 : await this.options.drivers.volumes.readHeal(name).catch(() => undefined);
      if (pending !== undefined) found.set(name, pending);
    }
    const isNews = JSON.stringify([...found]) !== JSON.stringify([...this.healPending]);
    this.healPending = found;
    if (isNews) this.touch();
    this.options.metrics?.healPending.reset();
    for (const [volume, pending] of found) this.options.metrics?.healPending.set({ volume }, pending);
  }

  async close(): Promise<void> {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    clearTimeout(this.regular);
    for (const end of this.ends.splice(0)) await end();
    await this.looking;
    await this.readingHeal;
  }
}
