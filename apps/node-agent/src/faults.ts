/** Planned trouble, read from a file: delays, failures, hangs and silence by task and host. For tests and rehearsals. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { AgentTask, type Outcome, type TaskEnvelope } from '@brickyard/contracts';
import { ConfigError, describeError, type Logger, Unavailable } from '@brickyard/service-host';
import { codeOf } from './drivers/step-failure';

const TASK_TYPES = AgentTask.options.map(({ shape }) => shape.type.value);

const Fault = z.strictObject({
  /** Only this kind of task; every kind when absent. */
  task: z.enum(TASK_TYPES).optional(),
  /** Only this host; every host when absent. */
  host: z.string().optional(),
  /** Only tasks of this step of their operation's saga, counted from 0. */
  step: z.int().min(0).optional(),
  /** Only tasks on the way forward, questions, or tasks that take back. */
  direction: z.enum(['act', 'probe', 'undo']).optional(),
  /** How often it strikes; always when absent. */
  count: z.int().min(1).optional(),
  delayMs: z.int().min(0).max(600_000).optional(),
  /** The task fails with these words; when uncertain, after having been done. */
  fail: z
    .strictObject({ transient: z.boolean(), detail: z.string().min(1), uncertain: z.boolean().default(false) })
    .optional(),
  /** The task does not end until the fault is taken out of the file; `after`: it is done, and not told of before that. */
  hang: z.enum(['before', 'after']).or(z.literal(true)).optional(),
  /** The host is as if switched off: no heartbeat, no answer, no work, disconnected for its peers. */
  silent: z.literal(true).optional(),
});
type Fault = z.infer<typeof Fault>;
const Faults = z.array(Fault);

/** Trouble as the file has it at this moment. */
export interface FaultPlan {
  isSilent(host: string): boolean;
  /** Does the work with the trouble planned for it. */
  around(envelope: TaskEnvelope, work: () => Promise<Outcome>): Promise<Outcome>;
  /** Lets go of what hangs: it goes back to the queue. */
  close(): void;
}

/** No trouble but what comes by itself. */
export const NO_FAULTS: FaultPlan = {
  isSilent: () => false,
  around: (_, work) => work(),
  close: () => undefined,
};

/** Reads the file and follows its changes; a file that is not there is no trouble, one that makes no sense is refused. */
export function watchFaults(file: string, log: Logger): FaultPlan {
  return new FileFaults(file, log);
}

interface Armed {
  readonly fault: Fault;
  left: number;
}

class FileFaults implements FaultPlan {
  private armed: readonly Armed[];
  private released = new AbortController();
  private readonly watcher: FSWatcher;
  private isClosed = false;

  constructor(
    private readonly file: string,
    private readonly log: Logger,
  ) {
    this.armed = this.read();
    // The directory, since a file that is replaced is another file.
    this.watcher = watch(dirname(file), (_, name) => {
      if (name === null || name === basename(file)) this.reread();
    });
  }

  private read(): readonly Armed[] {
    const text = readIfThere(this.file);
    const parsed =
      text.trim() === '' ? { success: true as const, data: [] } : Faults.safeParse(parseJson(text, this.file));
    if (parsed.success) return parsed.data.map((fault) => ({ fault, left: fault.count ?? Infinity }));
    const problems = parsed.error.issues.map(({ path, message }) => `[${path.join('.')}] ${message}`);
    throw new ConfigError([`BRICKYARD_FAULTS: ${this.file}: ${problems.join('; ')}`]);
  }

  private reread(): void {
    try {
      this.armed = this.read();
      this.log.info({ faults: this.armed.length }, 'planned faults have changed');
    } catch (error) {
      this.log.error(`the planned faults stay as they were: ${describeError(error)}`);
      return;
    }
    this.released.abort();
    this.released = new AbortController();
  }

  isSilent(host: string): boolean {
    return this.armed.some(({ fault }) => fault.silent === true && (fault.host ?? host) === host);
  }

  async around(envelope: TaskEnvelope, work: () => Promise<Outcome>): Promise<Outcome> {
    this.checkOn(envelope.host);
    const fault = this.take(envelope);
    if (fault === undefined) return work();
    if (fault.delayMs !== undefined) await pause(fault.delayMs);
    if (fault.hang === 'before' || fault.hang === true) await this.hang(fault, envelope);
    this.checkOn(envelope.host); // It may have been switched off meanwhile.
    if (fault.hang === 'after') {
      const outcome = await work();
      await this.hang(fault, envelope);
      this.checkOn(envelope.host);
      return outcome;
    }
    if (fault.fail === undefined) return work();
    const { transient, detail, uncertain } = fault.fail;
    if (uncertain) await work();
    return { ok: false, failure: { transient, uncertain, detail, cause: 'planned fault' } };
  }

  private checkOn(host: string): void {
    if (this.isSilent(host)) throw new Unavailable(`${host} is switched off`);
  }

  private take({ task, host, taskId }: TaskEnvelope): Fault | undefined {
    const [step, direction] = taskId.split('.').slice(-4);
    const found = this.armed.find(
      ({ fault, left }) =>
        left > 0 &&
        fault.silent === undefined &&
        (fault.task ?? task.type) === task.type &&
        (fault.host ?? host) === (host as string) &&
        (fault.step === undefined || String(fault.step) === step) &&
        (fault.direction ?? direction) === direction,
    );
    if (found !== undefined) found.left -= 1;
    return found?.fault;
  }

  private async hang(fault: Fault, { taskId, host, task }: TaskEnvelope): Promise<void> {
    this.log.info({ taskId, host, task: task.type }, 'a planned fault holds this task');
    const isPlanned = (): boolean =>
      this.armed.some((one) => JSON.stringify(one.fault) === JSON.stringify(fault)) && !this.isClosed;
    while (isPlanned()) {
      const { signal } = this.released;
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
    }
    if (this.isClosed) throw new Unavailable('the agent stops');
  }

  close(): void {
    this.isClosed = true;
    this.watcher.close();
    this.released.abort();
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ConfigError([`BRICKYARD_FAULTS: ${file} is not JSON: ${describeError(error)}`]);
  }
}
