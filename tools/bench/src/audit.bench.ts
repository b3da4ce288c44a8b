/** Proof, looks into the past, and the live stream, on a log of a million events. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type LoggedSystem, withGateway } from './large-log';
import { type Figure, percentile, timed } from './report';

const EVENTS = 1_000_000;
const VERIFY_MS = 60_000;
const PAST_MS = 1_000;
const LOOKS = 40;
const SUBSCRIBERS = 10;
const FOLLOWED = 100_000;
const EVENTS_PER_S = 10_000;
const CLI = join(__dirname, '..', '..', '..', 'apps', 'cli', 'dist', 'main.js');

/** The command as an operator runs it; a finding fails the bench. */
async function verify({ databaseUrl }: LoggedSystem): Promise<void> {
  const child = spawn(process.execPath, [CLI, 'audit', 'verify', '--pg', databaseUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`audit verify ended with ${String(code)}:\n${said}`);
}

/** Each look goes to another end of the log, so that what was folded for one hardly helps the next. */
async function looksIntoThePast({ url, head }: LoggedSystem): Promise<number[]> {
  const took: number[] = [];
  for (let number = 0; number < LOOKS; number++) {
    const position = 1 + ((number * 7_919_191 + 123_457) % (head - 1));
    const { ms } = await timed(async () => {
      const answer = await fetch(`${url}/v1/overview?at=${String(position)}`);
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`?at=${String(position)} is answered with ${String(answer.status)}`);
    });
    took.push(ms);
  }
  return took;
}

/** Follows from a position on until so many events have come, in order and without a gap. */
async function follow({ url }: LoggedSystem, after: number, count: number): Promise<void> {
  const ending = new AbortController();
  const answer = await fetch(`${url}/v1/events/stream`, {
    headers: { 'last-event-id': String(after) },
    signal: ending.signal,
  });
  if (!answer.ok || answer.body === null) throw new Error(`the stream is answered with ${String(answer.status)}`);
  const decoder = new TextDecoder();
  let rest = '';
  let last = after;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('id:')) continue;
      const position = Number(line.slice(3));
      if (position !== last + 1) throw new Error(`after ${String(last)} came ${String(position)}`);
      last = position;
    }
    if (last >= after + count) break;
  }
  ending.abort();
}

/** What the log as a product costs. */
export const benchAudit = (say: (text: string) => void): Promise<readonly Figure[]> => {
  const shape = { isEnough: (_: number, events: number) => events >= EVENTS, deletes: true, snapshots: true };
  return withGateway(shape, say, async (system) => {
    const verified = await timed(() => verify(system));
    const looks = await looksIntoThePast(system);
    const after = system.head - FOLLOWED;
    const followed = await timed(() =>
      Promise.all(Array.from({ length: SUBSCRIBERS }, () => follow(system, after, FOLLOWED))),
    );
    const note = `${String(system.head)} events`;
    return [
      { name: 'audit verify', value: verified.ms, unit: 'ms', limit: VERIFY_MS, note },
      { name: 'a look anywhere into the past, median', value: percentile(looks, 0.5), unit: 'ms' },
      { name: 'a look anywhere into the past, longest', value: Math.max(...looks), unit: 'ms', limit: PAST_MS },
      {
        name: 'stream, events to each of 10 that catch up',
        value: (FOLLOWED / followed.ms) * 1_000,
        unit: 'per s',
        limit: EVENTS_PER_S,
        atLeast: true,
      },
    ];
  });
};
