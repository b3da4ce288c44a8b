/** A process that carries out one driver call and is killed in it; waits for its orders on standard input. */
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type HostCommand, hostCommand } from './agent';
import { newDriver } from './scene';

/** How the end comes, at the command `at` (from 1): before it, with it running on alone, or together in its midst. */
export interface Doom {
  readonly at: number;
  readonly how: 'before' | 'beside' | 'amid';
  /** For `amid`: how long the command may run, seconds. */
  readonly seconds: number;
}

/** Calls that change the host. */
export type Call = 'ensureDevice' | 'ensureBrick' | 'ensureNoBrick' | 'ensureNoDevice';

const Orders = z.object({
  call: z.enum(['ensureDevice', 'ensureBrick', 'ensureNoBrick', 'ensureNoDevice']),
  argument: z.unknown(),
  doom: z.object({ at: z.int(), how: z.enum(['before', 'beside', 'amid']), seconds: z.number() }),
});

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

function doomedCommand({ at, how, seconds }: Doom): HostCommand {
  const run = hostCommand();
  let count = 0;
  return async (argv, limits) => {
    count += 1;
    if (count !== at) return run(argv, limits);
    if (how === 'beside') void run(argv, limits);
    if (how === 'amid') await hostCommand(['timeout', '--signal=KILL', seconds.toFixed(2)])(argv, limits);
    return die();
  };
}

async function obey(line: string): Promise<void> {
  const { call, argument, doom } = Orders.parse(JSON.parse(line));
  const calls = newDriver(doomedCommand(doom)) as unknown;
  await (calls as Record<Call, (argument: unknown) => Promise<unknown>>)[call](argument);
  process.exit(0); // It came to its end before the command it was to die at.
}

if (require.main === module) createInterface({ input: process.stdin }).once('line', (line) => void obey(line));
