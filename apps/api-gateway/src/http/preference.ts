/** `Prefer: wait=N`, RFC 7240, section 4.3: how long a client would rather wait for the end than be told that it is not there yet. */
import type { GatewayReply, GatewayRequest } from './gateway-request';

/** The longest an answer is held for. */
const HOLD_MAX_SECONDS = 30;

/** How long an answer may be held for; 0 for who says nothing, as heketi's clients do. */
export function secondsPreferred({ headers }: GatewayRequest): number {
  const { prefer } = headers;
  if (prefer === undefined) return 0;
  const wanted = /(?:^|[\s,;])wait=(\d{1,9})(?:$|[\s,;])/i.exec([prefer].flat().join(','))?.[1];
  return Math.min(Number(wanted ?? 0), HOLD_MAX_SECONDS);
}

/** Tells the client that it was waited for. */
export function waited(reply: GatewayReply, seconds: number): void {
  void reply.header('preference-applied', `wait=${String(seconds)}`);
}
