/** What clients are told of a cache: whether they got what was held, and when they cannot be served, why. */
import type { Exchange } from '../http/exchange';
import { OciError } from '../http/oci-error';
import type { UpstreamTrouble } from './upstream-trouble';

export type Outcome = 'hit' | 'miss' | 'stale';

const HEADER = 'x-brickyard-cache';
const AWAY_RETRY_SECONDS = 5;

/** Says how the answer came about. */
export function tellOutcome({ response }: Exchange, outcome: Outcome): void {
  response.setHeader(HEADER, outcome);
}

/** Says that nobody knows whether the tag has moved meanwhile. */
export function tellStale(exchange: Exchange, upstream: string): void {
  tellOutcome(exchange, 'stale');
  exchange.response.setHeader('warning', `299 - "upstream ${upstream} is in trouble: this is what it had before"`);
}

/** How the protocol says that the upstream could not be asked; never 404, and never 401, which would be about us. */
export function errorOf(trouble: UpstreamTrouble): OciError {
  const { kind, message, retryAfterMs } = trouble;
  const seconds = Math.ceil((retryAfterMs ?? AWAY_RETRY_SECONDS * 1_000) / 1_000);
  const headers = { 'retry-after': String(seconds) };
  switch (kind) {
    case 'limited':
      return new OciError('TOOMANYREQUESTS', `the upstream takes no more requests for now: ${message}`, { headers });
    case 'away':
    case 'slow':
      return new OciError('UNAVAILABLE', `the upstream does not answer: ${message}`, { headers, cause: trouble });
    case 'denied':
      return new OciError('DENIED', `the upstream does not let this registry have it: ${message}`);
    case 'unusable':
      return new OciError('UNKNOWN', `what the upstream sends cannot be used: ${message}`, {
        status: 502,
        cause: trouble,
      });
  }
}
