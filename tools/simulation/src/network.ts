/** Connections between processes and servers: ordered, slow at times, cut at times; a cut one keeps what was sent. */
import type { Kernel, Proc } from './kernel';

/** One TCP connection of a process to a server. */
export interface Link {
  readonly isOpen: boolean;
  /** The server runs this once the bytes are there; they arrive even when their sender has died. */
  toServer(run: () => void): void;
  /** The process runs this, if it still lives. */
  toClient(run: () => void): void;
  /** Ends it for both sides. */
  close(): void;
}

/** How a connection is made. */
export interface LinkOptions {
  readonly proc: Proc;
  /** Name of the server. */
  readonly server: string;
  /** Both sides are told once when it ends without `close`. */
  readonly onServerSeesEnd?: () => void;
  readonly onClientSeesEnd?: () => void;
}

/** Slowest and fastest way of a message while all is well, in milliseconds, and how seldom it is much slower. */
const WAY_MS = { least: 0.1, most: 2, slow: 40, slowChance: 0.02 };

/** Every connection there is. */
export class Network {
  private readonly links = new Set<SimulatedLink>();
  /** `process|server` pairs that cannot reach each other. */
  private readonly cuts = new Set<string>();

  constructor(readonly kernel: Kernel) {}

  canReach(proc: Proc, server: string): boolean {
    return !this.cuts.has(`${proc.name}|${server}`);
  }

  open(options: LinkOptions): Link {
    const link = new SimulatedLink(this, options);
    this.links.add(link);
    return link;
  }

  /** Packets between them are lost until `mend`; each side finds out in its own time. */
  cut(procName: string, server: string): void {
    this.cuts.add(`${procName}|${server}`);
    for (const link of this.linksOf(procName, server)) link.noticeCut();
  }

  mend(procName: string, server: string): void {
    if (!this.cuts.delete(`${procName}|${server}`)) return;
    for (const link of this.linksOf(procName, server)) link.flush();
  }

  mendAll(): void {
    for (const cut of [...this.cuts]) {
      const [procName = '', server = ''] = cut.split('|');
      this.mend(procName, server);
    }
  }

  /** The server process has died: every connection of it is reset. */
  serverDied(server: string): void {
    for (const link of [...this.links]) if (link.options.server === server) link.reset('server');
  }

  /** The process has died: its connections are reset. */
  procDied(proc: Proc): void {
    for (const link of [...this.links]) if (link.options.proc === proc) link.reset('client');
  }

  forget(link: SimulatedLink): void {
    this.links.delete(link);
  }

  private linksOf(procName: string, server: string): SimulatedLink[] {
    return [...this.links].filter(({ options }) => options.proc.name === procName && options.server === server);
  }
}

class SimulatedLink implements Link {
  isOpen = true;
  private lastUp = 0;
  private lastDown = 0;
  private held: (() => void)[] = [];

  constructor(
    private readonly network: Network,
    readonly options: LinkOptions,
  ) {}

  private get isCut(): boolean {
    return !this.network.canReach(this.options.proc, this.options.server);
  }

  toServer(run: () => void): void {
    if (!this.isOpen) return;
    const { kernel } = this.network;
    const go = (): void => {
      this.lastUp = Math.max(this.lastUp, kernel.now + this.way());
      kernel.outside(this.lastUp - kernel.now, () => {
        if (this.isOpen || this.outlivesSender()) run();
      });
    };
    if (this.isCut) this.held.push(go);
    else go();
  }

  toClient(run: () => void): void {
    if (!this.isOpen) return;
    const { kernel } = this.network;
    const go = (): void => {
      this.lastDown = Math.max(this.lastDown, kernel.now + this.way());
      kernel.later(
        this.lastDown - kernel.now,
        () => {
          if (this.isOpen) run();
        },
        this.options.proc,
      );
    };
    if (this.isCut) this.held.push(go);
    else go();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.network.forget(this);
    const { onServerSeesEnd } = this.options;
    if (onServerSeesEnd !== undefined) this.network.kernel.outside(this.way(), onServerSeesEnd);
  }

  /** Ended by the death of one side; what was on its way to the server may have been read before. */
  reset(dead: 'client' | 'server'): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.network.forget(this);
    this.survivesDeath = dead === 'client' && this.network.kernel.random.chance(0.5);
    this.tellServer(dead === 'server' ? undefined : this.way());
    if (dead === 'server') this.tellClient(this.way());
  }

  private survivesDeath = false;

  private outlivesSender(): boolean {
    return this.survivesDeath;
  }

  /** Keepalives end a connection that stays cut: the server's soon, the client's later. */
  noticeCut(): void {
    const { kernel } = this.network;
    const serverMs = kernel.random.between(2_000, 4_000);
    kernel.outside(serverMs, () => {
      if (!this.isOpen || !this.isCut) return;
      this.held = [];
      this.tellServer(0);
      kernel.outside(kernel.random.between(1_000, 15_000), () => {
        if (!this.isOpen) return;
        this.isOpen = false;
        this.network.forget(this);
        this.tellClient(0);
      });
    });
  }

  flush(): void {
    const held = this.held;
    this.held = [];
    for (const go of held) go();
  }

  private hasServerSeenEnd = false;

  private tellServer(afterMs: number | undefined): void {
    const { onServerSeesEnd } = this.options;
    if (this.hasServerSeenEnd || onServerSeesEnd === undefined || afterMs === undefined) return;
    this.hasServerSeenEnd = true;
    this.network.kernel.outside(afterMs, onServerSeesEnd);
  }

  private tellClient(afterMs: number): void {
    const { onClientSeesEnd, proc } = this.options;
    if (onClientSeesEnd !== undefined) this.network.kernel.later(afterMs, onClientSeesEnd, proc);
  }

  private way(): number {
    const { random } = this.network.kernel;
    return random.chance(WAY_MS.slowChance)
      ? random.between(WAY_MS.most, WAY_MS.slow)
      : random.between(WAY_MS.least, WAY_MS.most);
  }
}
