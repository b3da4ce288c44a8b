/** What the agent must remember of its tasks over a crash: how new the newest was, and what became of each. */
import { z } from 'zod';
import { quick, TaskOutcome, type TaskEnvelope } from '@brickyard/contracts';
import type { Disk } from './disk';
import { type Journal, openJournal } from './journal';

const Line = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('accepted'), resource: z.string(), generation: z.int() }),
  z.strictObject({ is: z.literal('done'), key: z.string(), outcome: TaskOutcome }),
]);
const LineAtDoor = quick(Line);

/** How the ledger is kept. */
export interface LedgerOptions {
  readonly file: string;
  /** False only for simulated hosts. */
  readonly sync: boolean;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
  /** Outcomes remembered: more than the queue can still deliver again. */
  readonly outcomesMax?: number;
  /** Resources whose newest generation is remembered. */
  readonly resourcesMax?: number;
}

const OUTCOMES_MAX = 10_000;
const RESOURCES_MAX = 200_000;
const COMPACT_FROM_LINES = 20_000;

/** The agent's memory of tasks. */
export interface TaskLedger {
  /** What became of this very task, if it was done before. */
  outcomeOf(envelope: TaskEnvelope): TaskOutcome | undefined;
  /** The newest generation accepted for what the task is about; 0 when none was. */
  seen(envelope: TaskEnvelope): number;
  /** The newest generation accepted for anything; 0 when none was. */
  readonly newest: number;
  /** Refuses every older task about the same thing from now on; resolves when that is on disk. */
  accept(envelope: TaskEnvelope): Promise<void>;
  /** Remembers the outcome; resolves when it is on disk. */
  record(envelope: TaskEnvelope, outcome: TaskOutcome): Promise<void>;
  close(): Promise<void>;
}

const keyOf = ({ taskId, generation }: TaskEnvelope): string => `${taskId}@${String(generation)}`;
/** One ledger may serve many simulated hosts. */
const resourceOf = ({ host, resource }: TaskEnvelope): string => `${host} ${resource}`;

/** Opens the ledger, or begins one. */
export async function openLedger(options: LedgerOptions): Promise<TaskLedger> {
  const memory = new LedgerMemory(options.outcomesMax ?? OUTCOMES_MAX, options.resourcesMax ?? RESOURCES_MAX);
  const journal = await openJournal(options.file, options, (line) => {
    memory.replay(LineAtDoor.parse(line));
  });
  return {
    outcomeOf: (envelope) => memory.outcomes.get(keyOf(envelope)),
    get newest() {
      return memory.newest;
    },
    seen: (envelope) => memory.generations.get(resourceOf(envelope)) ?? 0,
    accept: async (envelope) => {
      const { generation } = envelope;
      const resource = resourceOf(envelope);
      if (memory.generations.get(resource) === generation) return;
      await write(journal, memory, { is: 'accepted', resource, generation });
    },
    record: (envelope, outcome) => write(journal, memory, { is: 'done', key: keyOf(envelope), outcome }),
    close: () => journal.close(),
  };
}

async function write(journal: Journal, memory: LedgerMemory, line: z.infer<typeof Line>): Promise<void> {
  memory.replay(line);
  await journal.append(line);
  if (journal.length > COMPACT_FROM_LINES && journal.length > 2 * memory.size) {
    await journal.rewrite(() => memory.snapshot());
  }
}

class LedgerMemory {
  newest = 0;
  readonly generations = new Map<string, number>();
  readonly outcomes = new Map<string, TaskOutcome>();

  constructor(
    private readonly outcomesMax: number,
    private readonly resourcesMax: number,
  ) {}

  get size(): number {
    return this.generations.size + this.outcomes.size;
  }

  replay(line: z.infer<typeof Line>): void {
    if (line.is === 'done') putLast(this.outcomes, line.key, line.outcome, this.outcomesMax);
    else {
      this.newest = Math.max(this.newest, line.generation);
      const newest = Math.max(line.generation, this.generations.get(line.resource) ?? 0);
      putLast(this.generations, line.resource, newest, this.resourcesMax);
    }
  }

  snapshot(): readonly z.infer<typeof Line>[] {
    return [
      ...[...this.generations].map(([resource, generation]) => ({ is: 'accepted', resource, generation }) as const),
      ...[...this.outcomes].map(([key, outcome]) => ({ is: 'done', key, outcome }) as const),
    ];
  }
}

/** Puts the entry at the end and lets go of the one untouched for longest. */
function putLast<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
