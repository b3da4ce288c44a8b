/** Ids in paths. A route takes any hexadecimal text; only 32 lower-case characters can name something. */
import type { z } from 'zod';
import { type GatewayRequest, idOf } from '../http/gateway-request';
import { idNotFound } from './text-error';

/** The pattern of an id in a route; anything else is another path. */
export const ID = ':id(^[A-Fa-f0-9]+$)';

/** The id in the path of a request; throws 404 for one that nothing can have. */
export function routeId<Schema extends z.ZodType>(schema: Schema, request: GatewayRequest): z.infer<Schema> {
  const id = schema.safeParse(idOf(request));
  if (!id.success) throw idNotFound();
  return id.data;
}
