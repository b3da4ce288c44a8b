/** What the hooks in front of the routes leave with a request. */
import type { Actor } from '@brickyard/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Decided once, before the body is read. */
export interface RequestContext {
  /** Who asks; absent only where nobody has to say. */
  readonly actor: Actor;
  /** The decoded path without the query. */
  readonly path: string;
}

export type GatewayReply = FastifyReply;
export type GatewayRequest = FastifyRequest;

const contexts = new WeakMap<FastifyRequest, RequestContext>();

/** Called by the hook that lets a request in. */
export function setContext(request: FastifyRequest, context: RequestContext): void {
  contexts.set(request, context);
}

const correlations = new WeakMap<FastifyRequest, string>();

/** Remembers under which id the log keeps what a request has led to. */
export function correlate(request: FastifyRequest, correlationId: string): void {
  correlations.set(request, correlationId);
}

/** That id, for the log line of the request. */
export const correlationOf = (request: FastifyRequest): string | undefined => correlations.get(request);

/** What is known of a request that was let in. */
export function contextOf(request: FastifyRequest): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error('a route was reached past the door');
  return context;
}

/** The decoded path of a request target; absent when it cannot be decoded. */
export function pathOf(url: string): string | undefined {
  const end = url.search(/[?#]/);
  const raw = end < 0 ? url : url.slice(0, end);
  if (!raw.includes('%')) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** The id in a route's path. */
export const idOf = (request: FastifyRequest): string => (request.params as { readonly id: string }).id;
