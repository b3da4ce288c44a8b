/** A bus of its own with the streams of tasks and outcomes, and the allocator's side of the conversation: for specs. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  outcomesIn,
  type AgentTask,
  HostName,
  NodeId,
  OperationId,
  OUTCOMES_ALL,
  OUTCOMES_CONSUMER,
  OUTCOMES_STREAM,
  TaskId,
  TaskOutcome,
  TaskQuestion,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksOf,
} from '@brickyard/contracts';
import { type NatsServer, startNats } from '@brickyard/servers';
import { type Bus, connectBus, createLogger, type Logger } from '@brickyard/service-host';

const WAIT_MS = 20_000;
const OPERATION = 'a'.repeat(32);

/** What the allocator would do, by hand. */
export interface AgentBench {
  readonly nats: NatsServer;
  readonly account: { readonly user: string; readonly password: string };
  /** The same server again, on the same port, after it was killed. */
  restartNats(): Promise<NatsServer>;
  readonly bus: Bus;
  readonly log: Logger;
  readonly directory: string;
  /** Files below the directory that this process has open; none known where there is no /proc. */
  held(): readonly string[];
  /** Tasks answered with "no longer wanted". */
  readonly unwanted: Set<string>;
  readonly outcomes: readonly TaskOutcome[];
  /** Another connection, as a process of its own would have. */
  connect(name: string): Promise<Bus>;
  /** Sends a task; a resend is another message about the same task. */
  send(host: string, name: string, task: AgentTask, order?: Order): Promise<TaskId>;
  /** The outcomes of one task, once there are as many. */
  outcomesOf(taskId: TaskId, count?: number): Promise<readonly TaskOutcome['outcome'][]>;
  /** Waits for a message on a subject that `accept` takes. */
  until<T>(subject: string, accept: (payload: unknown) => T | undefined): Promise<T>;
  close(): Promise<void>;
}

/** What of an order matters to the agent. */
export interface Order {
  readonly resource?: string;
  readonly generation?: number;
  readonly resend?: number;
  readonly nodeId?: string;
}

/** Starts the bench; `host` is the address to listen on, with an account when it is not loopback. */
export async function agentBench(host?: string): Promise<AgentBench> {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-agent-'));
  const account = { user: 'bench', password: 'bench-only' };
  const config = `authorization { user: ${account.user}, password: ${account.password} }`;
  const place = { storeDir: join(directory, 'nats'), config, ...(host === undefined ? {} : { host }) };
  const nats = await startNats(place);
  const log = createLogger({ service: 'node-agent-spec', level: process.env['BRICKYARD_LOG_LEVEL'] ?? 'silent' });
  const connections: Bus[] = [];
  const connect = async (name: string): Promise<Bus> => {
    const bus = await connectBus({ url: nats.url, name, log, ...account });
    connections.push(bus);
    return bus;
  };
  const bus = await connect('bench');
  const outcomes: TaskOutcome[] = [];
  const unwanted = new Set<string>();
  const waiters = new Set<() => void>();
  await bus.ensureStream({ name: TASKS_STREAM, subjects: [TASKS_ALL], retention: 'workqueue' });
  await bus.ensureStream({ name: OUTCOMES_STREAM, subjects: [OUTCOMES_ALL], retention: 'workqueue' });
  const options = { stream: OUTCOMES_STREAM, consumer: OUTCOMES_CONSUMER, filter: OUTCOMES_ALL };
  await bus.consume({ ...options, concurrency: 64, ackWaitMs: 10_000 }, ({ payload }) => {
    outcomes.push(...outcomesIn(payload).map((outcome) => TaskOutcome.parse(outcome)));
    for (const look of waiters) look();
    return Promise.resolve();
  });
  bus.respond(TASKS_WANTED, (payload) =>
    Promise.resolve({ wanted: !unwanted.has(TaskQuestion.parse(payload).taskId) }),
  );
  return {
    nats,
    account,
    restartNats: () => startNats({ ...place, port: nats.port }),
    bus,
    log,
    directory,
    held: () => openFiles().filter((path) => path.startsWith(directory)),
    unwanted,
    outcomes,
    connect,
    async send(to, name, task, order = {}) {
      const taskId = TaskId.parse(`${OPERATION}.${name}`);
      const { resource = name, generation = 1, resend = 0, nodeId = '1'.repeat(32) } = order;
      const envelope = {
        taskId,
        operationId: OperationId.parse(OPERATION),
        nodeId: NodeId.parse(nodeId),
        host: HostName.parse(to),
        resource,
        generation,
        task,
      };
      await bus.publishDurable(tasksOf(envelope.host), envelope, { messageId: `${taskId}+${String(resend)}` });
      return taskId;
    },
    outcomesOf(taskId, count = 1) {
      const found = (): TaskOutcome['outcome'][] =>
        outcomes.filter((outcome) => outcome.taskId === taskId).map(({ outcome }) => outcome);
      return waitFor(`${String(count)} outcomes of ${taskId}`, (wake) => {
        waiters.add(wake);
        return () => (found().length >= count ? found() : undefined);
      });
    },
    async until(subject, accept) {
      let taken: ReturnType<typeof accept>;
      let wake: () => void = () => undefined;
      const subscription = bus.subscribe(subject, (payload) => {
        taken ??= accept(payload);
        wake();
      });
      try {
        return await waitFor(`a message on ${subject}`, (look) => {
          wake = look;
          return () => taken;
        });
      } finally {
        await subscription.close();
      }
    },
    async close() {
      for (const connection of connections.reverse()) await connection.drain();
      await nats.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function openFiles(): readonly string[] {
  const own = '/proc/self/fd';
  const numbers = process.platform === 'linux' ? readdirSync(own) : [];
  return numbers.flatMap((number) => {
    try {
      return [readlinkSync(join(own, number))];
    } catch {
      return []; // The one that listed the others is closed again.
    }
  });
}

/** Resolves as soon as `look` finds something, asked whenever `wake` is called. */
function waitFor<T>(what: string, watch: (wake: () => void) => () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`there was no ${what} in ${String(WAIT_MS)} ms`));
    }, WAIT_MS);
    const wake = (): void => {
      const found = look();
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    };
    const look = watch(wake);
    wake();
  });
}
