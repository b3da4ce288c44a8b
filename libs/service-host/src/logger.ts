import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_NAMES = new Set(['key', 'secret', 'password', 'token', 'authorization']);
const HIDDEN = '[hidden]';
const DEPTH_MAX = 8;
/** The password part of a URL such as `postgres://user:password@host`. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi;

/** Who logs, and from which level on (`trace` to `fatal`, `silent`). */
export interface LoggerOptions {
  readonly service: string;
  readonly level?: string;
}

/** JSON lines on standard output; fields named as secrets and passwords inside URLs are hidden at any depth. */
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: { service: options.service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    mixin: traceFields,
    serializers: { err: (value: unknown) => value }, // `hideSecrets` has made plain fields of it.
    formatters: { level: (label: string) => ({ level: label }), log: hideSecrets },
    hooks: {
      streamWrite: (line: string) => (line.includes('://') ? line.replace(URL_PASSWORD, `$1:${HIDDEN}@`) : line),
    },
  };
  return withSafeChildren(destination === undefined ? pino(settings) : pino(settings, destination));
}

interface ChildMaker {
  child(bindings: Record<string, unknown>): Logger;
}

/** The fields of a child do not pass the formatter: they are looked at once, when it is made. */
function withSafeChildren(log: Logger): Logger {
  const pinos = Object.getPrototypeOf(log) as ChildMaker;
  return Object.assign(log, {
    child(this: Logger, bindings: Record<string, unknown>): Logger {
      return pinos.child.call(this, hideSecrets(bindings));
    },
  });
}

function traceFields(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext();
  return span === undefined || !isSpanContextValid(span) ? {} : { traceId: span.traceId, spanId: span.spanId };
}

function hideSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  return isHarmless(fields) ? fields : hideInFields(fields, 0);
}

/** Most lines hold a few plain values. */
function isHarmless(fields: Record<string, unknown>): boolean {
  for (const name in fields) {
    if (typeof fields[name] === 'object' || SECRET_NAMES.has(name.toLowerCase())) return false;
  }
  return true;
}

function hideInFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      SECRET_NAMES.has(name.toLowerCase()) ? HIDDEN : hideInValue(value, depth + 1),
    ]),
  );
}

function hideInValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEPTH_MAX) return '[too deep]';
  if (value instanceof Error) return errorFields(value, depth);
  if (Array.isArray(value)) return value.map((item) => hideInValue(item, depth + 1));
  return isPlain(value) ? hideInFields(value, depth) : value;
}

function errorFields(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const rest = hideInFields(Object.fromEntries(Object.entries(error)), depth);
  return {
    ...rest,
    type: name,
    message,
    stack,
    ...(cause === undefined ? {} : { cause: hideInValue(cause, depth + 1) }),
  };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
