/** For the simulation: the real consumer, to be run on a model of JetStream. */
export { PULL_HEARTBEAT_MS, PullConsumer, type PulledMessage, type PullWire } from './pull-consumer';
