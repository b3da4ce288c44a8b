export type { Bus, ConsumeOptions, DurableMessage, StreamSpec, Subscription } from './bus.port';
export { describeError, Unavailable } from './errors';
