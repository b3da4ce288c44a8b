/** What the agent says unasked: that it lives, and what its host looks like when that has changed. */
import {
  factsOf,
  type Heartbeat,
  heartbeatOf,
  type HostName,
  type NodeFacts,
  probeOf,
  type ProbeReply,
} from '@brickyard/contracts';
import { type Bus, describeError, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import type { Drivers } from './execute';

export const HEARTBEAT_MS = 2_000;
/** A probe is answered within a second, if need be with what was known a moment ago. */
const HEALTH_PATIENCE_MS = 700;
const FACTS_MS = 30_000;
const HEAL_MS = 60_000;

/** The host to speak for. */
export interface FactsOptions {
  readonly bus: Bus;
  readonly log: Logger;
  readonly host: HostName;
  readonly incarnation: string;
  readonly simulated: boolean;
  readonly drivers: Drivers;
  /** True while the host shall seem switched off. */
  readonly isSilent?: () => boolean;
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
  private lookAgain = false;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly ends: (() => unknown)[] = [];

  constructor(private readonly options: FactsOptions) {}

  start(): void {
    const { bus, host } = this.options;
    this.ends.push(
      bus.onConnected(() => {
        this.lastFacts = '';
        void this.beat();
        this.touch();
      }),
    );
    const probes = bus.respond(probeOf(host), async () => {
      if (this.options.isSilent?.() === true) throw new Unavailable(`${host} is switched off`);
      return this.identity(await this.readHealth());
    });
    this.ends.push(() => probes.close());
    this.timers.push(
      setInterval(() => void this.beat(), HEARTBEAT_MS),
      setInterval(() => {
        this.touch();
      }, FACTS_MS),
    );
    void this.beat();
    this.touch();
  }

  private identity(glusterd: 'running' | 'stopped'): ProbeReply {
    const { host, incarnation, simulated } = this.options;
    return { host, incarnation, glusterd, simulated };
  }

  /** How glusterd is; after a moment without answer, how it was. */
  private async readHealth(): Promise<'running' | 'stopped'> {
    const look = this.options.drivers.volumes.readHealth().then(
      (health) => {
        const hasStarted = this.health === 'stopped' && health === 'running';
        this.health = health;
        if (hasStarted) this.options.onGlusterdStarted?.();
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
    const heartbeat: Heartbeat = { ...this.identity(await this.readHealth()), intervalMs: HEARTBEAT_MS };
    if (this.options.isSilent?.() !== true) this.options.bus.publish(heartbeatOf(this.options.host), heartbeat);
  }

  touch(): void {
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
        if (this.lookAgain && this.timers.length > 0) this.touch();
      });
  }

  private async look(): Promise<void> {
    const { observedAt, ...facts } = await this.read();
    const text = JSON.stringify(facts);
    if (text === this.lastFacts || !this.options.bus.connected) return;
    this.lastFacts = text;
    this.options.bus.publish(factsOf(this.options.host), { observedAt, ...facts } satisfies NodeFacts);
  }

  private async read(): Promise<NodeFacts> {
    const { bricks, volumes } = this.options.drivers;
    const glusterd = await this.readHealth();
    const isRunning = glusterd === 'running';
    const [brickFacts, peers, listed] = await Promise.all([
      bricks.readBricks(),
      isRunning ? volumes.readPeers() : [],
      isRunning ? volumes.readVolumes() : [],
    ]);
    await this.readHeal(listed.filter(({ status }) => status === 'started').map(({ name }) => name));
    return {
      ...this.identity(glusterd),
      observedAt: new Date().toISOString(),
      bricks: brickFacts.map((brick) => ({ ...brick })),
      peers: peers.map(({ uuid, hostname, connected }) => ({ uuid, hostname, connected })),
      volumes: listed.map(({ name, status }) => {
        const healPending = this.healPending.get(name);
        return { name, status, ...(healPending === undefined ? {} : { healPending }) };
      }),
    };
  }

  /** Asking costs a process a volume: seldom, one after the other. */
  private async readHeal(names: readonly string[]): Promise<void> {
    if (Date.now() - this.healReadAt < HEAL_MS) return;
    this.healReadAt = Date.now();
    const found = new Map<string, number>();
    for (const name of names) {
      const pending = await this.options.drivers.volumes.readHeal(name).catch(() => undefined);
      if (pending !== undefined) found.set(name, pending);
    }
    this.healPending = found;
  }

  async close(): Promise<void> {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    for (const end of this.ends.splice(0)) await end();
    await this.looking;
  }
}
