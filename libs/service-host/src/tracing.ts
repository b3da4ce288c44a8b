import {
  type Attributes,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { describeError } from './errors';

const isTraced = (process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') !== '';
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Runs work inside a span of its own; without a telemetry endpoint this costs next to nothing. */
export async function inSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return trace.getTracer('brickyard').startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks a moment of the trace that a `traceparent` names, as a span of its own; nothing when nothing is traced. */
export function markSpan(name: string, traceparent: string | undefined, attributes: Attributes): void {
  if (traceparent === undefined || !isTraced) return;
  continueTrace(traceparent, () => {
    trace.getTracer('brickyard').startSpan(name, { attributes }).end();
  });
}

/** Names the span that is active by what the request is, once that is known: `POST /volumes/:id/expand`. */
export function nameRequestSpan(method: string, route: string): void {
  if (!isTraced) return;
  trace.getActiveSpan()?.updateName(`${method} ${route}`).setAttribute('http.route', route);
}

/** The W3C trace context of the work going on now, to send along with a message; absent when nothing is traced. */
export function currentTraceparent(): string | undefined {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
}

/** Runs work as a part of the trace that a received `traceparent` names; anything malformed is no trace. */
export function continueTrace<T>(traceparent: string | undefined, work: () => T): T {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return work();
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(remote) ? context.with(trace.setSpanContext(ROOT_CONTEXT, remote), work) : work();
}
