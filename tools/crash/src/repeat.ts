/** Everything that agents were ever told, told once more under new message ids: nothing may come of it. */
import { HostName, streamInfoOf, TASKS_STREAM, tasksOf } from '@brickyard/contracts';
import { type Bus, connectBus, createLogger } from '@brickyard/service-host';
import { eventually } from '@brickyard/stack';
import { z } from 'zod';
import { demand, type Estate } from './estate';

const DRAINED_MS = 60_000;
const ANSWER_MS = 2_000;
const PER_TURN = 64;

/** What JetStream tells of a stream. */
const StreamInfo = z.object({ state: z.object({ messages: z.int() }) });

const waiting = async (bus: Bus): Promise<number> =>
  StreamInfo.parse(await bus.request(streamInfoOf(TASKS_STREAM), {}, { timeoutMs: ANSWER_MS })).state.messages;

/** Sends them and waits until agents have taken all; gives how many there were. */
export async function repeatEverything(estate: Estate): Promise<number> {
  const { stack, planned, checks } = estate;
  await estate.rest();
  const before = checks.position;
  const log = createLogger({ service: 'crash', level: 'silent' });
  const bus = await connectBus({ ...stack.busAs({ kind: 'allocator' }), name: 'crash', log });
  try {
    for (let from = 0; from < planned.length; from += PER_TURN) {
      const some = planned.slice(from, from + PER_TURN);
      await Promise.all(
        some.map((task, index) =>
          bus.publishDurable(tasksOf(HostName.parse(task.host)), task, { messageId: `again-${String(from + index)}` }),
        ),
      );
    }
    await eventually('the repeated tasks are not taken', DRAINED_MS, async () => {
      const left = await waiting(bus);
      if (left > 0) throw new Error(`${String(left)} wait`);
    });
  } finally {
    await bus.drain();
  }
  await estate.rest();
  demand(checks.position === before, 'a stale or repeated task changes nothing', () => {
    return `the log went from ${String(before)} to ${String(checks.position)}`;
  });
  return planned.length;
}
