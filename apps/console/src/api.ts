/** How the page asks the gateway. Every request carries a token of its own; nothing is asked of anybody else. */
import { tokenFor } from './token.ts';

const KEY_NAME = 'brickyard.key';

/** An answer that is not what was asked for. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(text);
  }
}

/** The key as long as this tab is open. */
export const knownKey = (): string | undefined => sessionStorage.getItem(KEY_NAME) ?? undefined;

/** Remembers the key, or forgets it. */
export function rememberKey(key: string | undefined): void {
  if (key === undefined) sessionStorage.removeItem(KEY_NAME);
  else sessionStorage.setItem(KEY_NAME, key);
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const url = new URL(path, location.origin);
  const key = knownKey();
  const headers = new Headers(init.headers);
  if (key !== undefined) {
    const token = await tokenFor(key, init.method ?? 'GET', url.pathname, Math.floor(Date.now() / 1_000));
    headers.set('authorization', `bearer ${token}`);
  }
  const response = await fetch(url, { ...init, headers, redirect: 'error', credentials: 'omit' });
  if (response.ok) return response;
  throw new Refusal(response.status, await refusalText(response));
}

async function refusalText(response: Response): Promise<string> {
  const text = (await response.text()).trim();
  try {
    return (JSON.parse(text) as { detail?: string }).detail ?? text;
  } catch {
    return text === '' ? `the gateway answered ${String(response.status)}` : text;
  }
}

/** Which moment of the log the page shows. */
export type Moment = number | 'live';

/** A path as of a moment. */
export function pathAt(path: string, moment: Moment): string {
  if (moment === 'live') return path;
  return `${path}${path.includes('?') ? '&' : '?'}at=${String(moment)}`;
}

/** Gets JSON. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await ask(path, signal === undefined ? {} : { signal });
  return (await response.json()) as T;
}

/** Posts JSON. */
export async function postJson<T>(path: string, body: unknown): Promise<T> {
  return (await (await ask(path, { method: 'POST', body: JSON.stringify(body) })).json()) as T;
}

/** One event of the log. */
export interface LogEvent {
  readonly position: number;
  readonly time: string;
  readonly stream: string;
  readonly type: string;
  readonly actor: { readonly name: string; readonly address?: string };
  readonly request?: { readonly method: string; readonly path: string };
  readonly correlationId: string;
  readonly traceId?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const RECONNECT_MS = 1_000;
const RECONNECT_MAX_MS = 10_000;

/** What a follower of the stream is told. */
export interface StreamListener {
  readonly onEvents: (events: readonly LogEvent[]) => void;
  readonly onState: (connected: boolean) => void;
}

/** Follows the log from a position on, reconnecting where it was, until the signal. */
export async function followEvents(from: number, listener: StreamListener, signal: AbortSignal): Promise<void> {
  let next = from;
  let pauseMs = RECONNECT_MS;
  while (!signal.aborted) {
    try {
      const response = await ask(`/v1/events/stream?from=${String(next)}`, { signal });
      listener.onState(true);
      pauseMs = RECONNECT_MS;
      for await (const events of eventsIn(response)) {
        next = (events.at(-1)?.position ?? next - 1) + 1;
        listener.onEvents(events);
      }
    } catch {
      // Whatever broke it, the log still has everything: go on where it was.
    }
    if (isOver(signal)) return;
    listener.onState(false);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(RECONNECT_MAX_MS, pauseMs * 2);
  }
}

/** Asked anew after each wait, which the compiler cannot know. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;

async function* eventsIn(response: Response): AsyncGenerator<readonly LogEvent[]> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (reader !== undefined) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = `${text}${value}`.split('\n\n');
    text = frames.pop() ?? '';
    const events = frames.flatMap((frame) => eventIn(frame));
    if (events.length > 0) yield events;
  }
}

/** The event in one frame: named frames tell of trouble, those without data only that the line is alive. */
export function eventIn(frame: string): LogEvent[] {
  const lines = frame.split('\n');
  if (lines.some((line) => line.startsWith('event:'))) return [];
  const data = lines.find((line) => line.startsWith('data: '));
  return data === undefined ? [] : [JSON.parse(data.slice('data: '.length)) as LogEvent];
}
