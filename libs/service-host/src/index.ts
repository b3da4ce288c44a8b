export {
  type ApiAnswer,
  type ApiClient,
  type ApiClientOptions,
  ApiError,
  type CallOptions,
  createApiClient,
  isPassing,
  queryStringHash,
  signRequest,
  type ApiTls,
} from './api-client';
export { type BusOptions, connectBus } from './bus';
export type { Bus, ConsumeOptions, DurableMessage, RespondOptions, StreamSpec, Subscription } from './bus.port';
export { type BusLogin, natsAuthorization } from './bus-authorization';
export { type BusSettings, type BusTls, busSettings, busVariables, connectionSettings } from './bus-settings';
export { type ChapKeys, chapKeysFrom, chapVariables } from './chap-keys';
export { ConfigError, readConfig } from './config';
export { describeError, Unavailable } from './errors';
export { type Check, type HealthServer, type HealthServerOptions, readiness, startHealthServer } from './health';
export { createLogger, type Logger, type LoggerOptions } from './logger';
export { type Counter, createMetrics, type Gauge, type Histogram, type MetricOptions, type Metrics } from './metrics';
export { runService, settingsOrExit } from './run-service';
export { onShutdown, type ShutdownOptions } from './shutdown';
export { continueTrace, currentTraceparent, inSpan, markSpan, nameRequestSpan } from './tracing';
export { stopTracing } from './tracing-flush';
export { createSlots, type Slots } from './slots';
