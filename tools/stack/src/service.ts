/** One supervised process: it runs while it is wanted, and comes back when it ends by itself. */
import { setTimeout as pause } from 'node:timers/promises';

const RESTART_FIRST_MS = 200;
const RESTART_MAX_MS = 5_000;
/** Who ran this long is no longer failing at its start. */
const STABLE_MS = 10_000;
/** The service's own word for "nothing is wrong, start me again": an allocator that lost its lead. */
const EXIT_AGAIN = 75;

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process as its launch gives it. */
export interface LaunchedProcess {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  kill(signal: NodeJS.Signals): void;
  /** Orderly, then by force; resolves when it has ended. */
  end(): Promise<void>;
}

/** A service of the running system. */
export interface Service {
  readonly name: string;
  /** Where its output goes. */
  readonly logFile: string;
  /** Absent while it is not running. */
  readonly pid: number | undefined;
  /** How often in a row it ended soon after its start, and not because it was told to. */
  readonly failures: number;
  /** Sends a signal; a service that ends of it is started again after a moment. */
  kill(signal: NodeJS.Signals): void;
  /** Ends it in an orderly way; it stays down until `start`. */
  stop(): Promise<void>;
  /** Starts it unless it runs. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** It is about to end by other means, such as its host's power loss; it stays down until `start`. */
  letGo(): void;
}

/** What a service is and how to start it. */
export interface ServicePlan {
  readonly name: string;
  readonly logFile: string;
  launch(): Promise<LaunchedProcess>;
  /** False while a start cannot succeed, such as on a host that is switched off. */
  canRun?(): boolean;
  onProgress(text: string): void;
}

/** Supervises a service; it is not started yet. */
export function supervise(plan: ServicePlan): Service {
  return new SupervisedService(plan);
}

class SupervisedService implements Service {
  readonly name: string;
  readonly logFile: string;
  failures = 0;
  private process: LaunchedProcess | undefined;
  private starting: Promise<void> | undefined;
  private isWanted = false;
  private startedAt = 0;
  private pauseMs = RESTART_FIRST_MS;
  private waiting = new AbortController();

  constructor(private readonly plan: ServicePlan) {
    this.name = plan.name;
    this.logFile = plan.logFile;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }

  async start(): Promise<void> {
    this.isWanted = true;
    this.waiting = new AbortController();
    if (this.process !== undefined) return;
    this.starting ??= this.launch().finally(() => {
      this.starting = undefined;
    });
    await this.starting;
  }

  async stop(): Promise<void> {
    this.unwant();
    await this.starting?.catch(() => undefined); // Whoever started it hears of the failure.
    const { process } = this;
    this.process = undefined;
    await process?.end();
  }

  letGo(): void {
    this.unwant();
    this.process = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  private unwant(): void {
    this.isWanted = false;
    this.waiting.abort();
  }

  private async launch(): Promise<void> {
    const process = await this.plan.launch();
    this.process = process;
    this.startedAt = Date.now();
    void process.ended.then((ending) => {
      if (this.process !== process) return; // It was stopped on purpose.
      this.process = undefined;
      if (this.isWanted) void this.comeBack(ending);
    });
  }

  private async comeBack(ending: Ending): Promise<void> {
    if (!this.canRun()) return; // It is started again when its host is.
    const reason = ending.signal ?? `exit code ${String(ending.code)}`;
    this.plan.onProgress(`${this.name} ended (${reason}), starting it again; see ${this.logFile}`);
    await pause(this.nextPause(ending), undefined, { signal: this.waiting.signal }).catch(() => undefined);
    if (!this.isWanted || !this.canRun()) return;
    await this.start().catch((error: unknown) => {
      this.plan.onProgress(`${this.name} does not start: ${error instanceof Error ? error.message : String(error)}`);
      if (this.isWanted) void this.comeBack({ code: null, signal: 'no start' });
    });
  }

  private canRun(): boolean {
    return this.plan.canRun?.() !== false;
  }

  private nextPause({ code }: Ending): number {
    if (code === EXIT_AGAIN) return 0; // No failure.
    if (Date.now() - this.startedAt > STABLE_MS) {
      this.pauseMs = RESTART_FIRST_MS;
      this.failures = 0;
    }
    this.failures += 1;
    const waitMs = this.pauseMs;
    this.pauseMs = Math.min(RESTART_MAX_MS, this.pauseMs * 2);
    return waitMs;
  }
}
