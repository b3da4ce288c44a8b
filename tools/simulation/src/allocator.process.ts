/** An allocator, put together of the same parts as the real one. */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { COMMANDS, LEADER_READY } from '@brickyard/contracts';
import type { Proc } from './kernel';
import type { World } from './world';
import { CommandConsumer, lead, followLedger } from './product';

const NODE_LOST_MS = 10_000;
const RETRY_MS = 200;

async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await pause(RETRY_MS); // Postgres may start later than we do.
    }
  }
}

/** Stands by, then leads until the process ends. */
export async function allocatorMain(world: World, proc: Proc): Promise<void> {
  const log = world.logOf(proc);
  const bus = world.busOf(proc);
  await bus.connect();
  const storage = world.storageOf(proc);
  const reader = storage.openReader();
  const follower = await eventually(() => followLedger(reader, bus, log));
  const ending = new AbortController();
  const leadership = await lead({
    storage,
    reader,
    bus,
    log,
    follower,
    lostAfterMs: NODE_LOST_MS,
    healPolicy: 'trivial',
    snapshotEvents: world.options.snapshotEvents,
    signal: ending.signal,
    onLost: (error) => {
      world.exit(proc, `the lead is lost: ${error.message}`);
    },
  });
  const refusals = { inc: () => undefined }; // Nobody scrapes a simulation.
  const consumer = new CommandConsumer(leadership.writer, log, refusals);
  bus.respond(COMMANDS, (payload) => consumer.take(payload));
  bus.publish(LEADER_READY, { epoch: leadership.writer.epoch });
  world.trace(`takes commands, epoch ${String(leadership.writer.epoch)}`);
}
