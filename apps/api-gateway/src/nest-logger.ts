import type { Logger } from '@brickyard/service-host';
import type { LoggerService } from '@nestjs/common';

/** Nest's own messages in our log; what it says of its start is for those who debug it. */
export function nestLogger(log: Logger): LoggerService {
  const text = (message: unknown): string => (typeof message === 'string' ? message : JSON.stringify(message));
  return {
    log: (message) => {
      log.debug(text(message));
    },
    error: (message) => {
      log.warn(text(message));
    },
    warn: (message) => {
      log.warn(text(message));
    },
  };
}
