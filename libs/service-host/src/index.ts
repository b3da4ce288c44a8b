export { type BusOptions, connectBus } from './bus';
export type { Bus, ConsumeOptions, DurableMessage, RespondOptions, StreamSpec, Subscription } from './bus.port';
export { ConfigError, readConfig } from './config';
export { describeError, Unavailable } from './errors';
export { createLogger, type Logger, type LoggerOptions } from './logger';
export { continueTrace, currentTraceparent, inSpan } from './tracing';
