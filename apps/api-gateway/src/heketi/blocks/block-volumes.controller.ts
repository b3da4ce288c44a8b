import { BlockVolumeCreateRequest, BlockVolumeExpandRequest } from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { STATE_READER } from '../../tokens';
import { readBody } from '../request-body';
import { ID } from '../route-id';
import { badRequest, idNotFound, TextError } from '../text-error';
import { blockVolumeCreateProblem, blockVolumeExpandProblem } from '../validation';

/** `/blockvolumes`: there are none, and none can be made yet. What is asked is checked all the same, in heketi's order. */
@Controller('blockvolumes')
export class BlockVolumesController {
  constructor(@Inject(STATE_READER) private readonly reader: ClusterStateReader) {}

  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    await requestedState(this.reader, request, reply);
    sendJson(reply, 200, { blockvolumes: [] });
  }

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    await requestedState(this.reader, request, reply);
    throw idNotFound();
  }

  @Post()
  async create(@Req() request: GatewayRequest): Promise<void> {
    const body = readBody(BlockVolumeCreateRequest, request.body);
    const problem = blockVolumeCreateProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const { state } = await this.reader.latest();
    if (state.clusters.size === 0) throw badRequest('No clusters configured');
    const known = new Set<string>(state.clusters.keys());
    const unknown = body.clusters?.find((id) => !known.has(id));
    if (unknown !== undefined) throw badRequest(`Cluster id ${unknown} not found`);
    throw new TextError(500, 'Failed to allocate new block volume: block volumes are not offered by this release');
  }

  @Post(`${ID}/expand`)
  expand(@Req() request: GatewayRequest): void {
    const problem = blockVolumeExpandProblem(readBody(BlockVolumeExpandRequest, request.body));
    if (problem !== undefined) throw badRequest(problem);
    throw idNotFound();
  }

  @Delete(ID)
  remove(): void {
    throw idNotFound();
  }
}
