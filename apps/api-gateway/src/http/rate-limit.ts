/** How much one address may ask of a gateway, so that a client gone wild does not take the API from the others. */
import type { FastifyInstance } from 'fastify';
import { sendText } from './answers';

/** What was not used is saved up for so many seconds. */
const BURST_SECONDS = 5;
/** Addresses remembered; beyond it those that have saved up everything are forgotten, as if they had never asked. */
const ADDRESSES_MAX = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/** Says whether an address may ask now; `now` in milliseconds. */
export function createRateLimit(perSecond: number): (address: string, now: number) => boolean {
  const full = perSecond * BURST_SECONDS;
  const buckets = new Map<string, Bucket>();
  const leftNow = ({ left, at }: Bucket, now: number): number =>
    Math.min(full, left + ((now - at) / 1_000) * perSecond);
  const forget = (now: number): void => {
    for (const [address, bucket] of buckets) if (leftNow(bucket, now) >= full) buckets.delete(address);
    // All of them are busy: the one that came first is let in anew.
    const [first] = buckets.size >= ADDRESSES_MAX ? buckets.keys() : [];
    if (first !== undefined) buckets.delete(first);
  };
  return (address, now) => {
    const bucket = buckets.get(address);
    if (bucket === undefined && buckets.size >= ADDRESSES_MAX) forget(now);
    const left = bucket === undefined ? full : leftNow(bucket, now);
    const isAllowed = left >= 1;
    buckets.set(address, { left: isAllowed ? left - 1 : left, at: now });
    return isAllowed;
  };
}

/** Refuses what is too much with 429, before anything else is looked at. */
export function limitRate(server: FastifyInstance, perSecond: number): void {
  const mayAsk = createRateLimit(perSecond);
  server.addHook('onRequest', (request, reply, done) => {
    if (mayAsk(request.ip, performance.now())) {
      done();
      return;
    }
    void reply.header('retry-after', '1');
    sendText(reply, 429, `more than ${String(perSecond)} requests a second from ${request.ip}`);
  });
}
