import { TagChange, type Tags, TagsRequest } from '@brickyard/contracts';
import type { GatewayRequest } from '../http/gateway-request';
import { readBody } from './request-body';
import { badRequest } from './text-error';
import { tagsChangeProblem } from './validation';

/** The change of tags a request asks for; throws 422 or 400 when it cannot be read or done. */
export function tagChangeFrom(request: GatewayRequest): { readonly change: TagChange; readonly tags: Tags } {
  const body = readBody(TagsRequest, request.body);
  const problem = tagsChangeProblem(body);
  if (problem !== undefined) throw badRequest(problem);
  return { change: TagChange.parse(body.change_type), tags: body.tags ?? {} };
}
