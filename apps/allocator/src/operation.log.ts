/** One line for each step of each operation, so that the log tells its story beside the events. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { Logger } from '@brickyard/service-host';

const STORY = /^(Step|Operation|Task)/;

/** Tells what committed events say of operations; of what went well, its step and the host's own log tell. */
export function tellOperations(log: Logger, events: readonly StoredEvent[]): void {
  for (const { type, position, data, metadata } of events) {
    if (!STORY.test(type)) continue;
    const { operationId, taskId, step, direction, failure } = data as Readonly<Record<string, unknown>>;
    const { correlationId, traceparent } = metadata;
    const trace = traceparent === undefined ? {} : { traceId: traceparent.split('-')[1] };
    const level = type === 'TaskSucceeded' ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) continue;
    log[level](
      { event: type, position, operationId, taskId, step, direction, failure, correlationId, ...trace },
      'operation',
    );
  }
}
