import { inspect } from 'node:util';

/** Something needed is not there at the moment; the same call may succeed later. */
export class Unavailable extends Error {
  /** When trying again makes sense, milliseconds from now. */
  readonly retryAfterMs?: number;

  constructor(what: string, options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {}) {
    super(what, 'cause' in options ? { cause: options.cause } : {});
    this.name = 'Unavailable';
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

const CAUSES_MAX = 8;

/** The message of an error with the messages of its causes, for one line of a log. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current = error;
  while (current !== undefined && current !== null && parts.length < CAUSES_MAX) {
    parts.push(messageOf(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.length === 0 ? 'unknown error' : parts.join(': ');
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    const inner = error.errors.slice(0, CAUSES_MAX).map((one: unknown) => messageOf(one));
    return [error.message, inner.join(' and ')].filter((text) => text !== '').join(': ');
  }
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string' ? error : inspect(error, { depth: 2, breakLength: Infinity });
}
