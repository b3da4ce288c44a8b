import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { STATE_READER } from '../tokens';
import { topologyLines, topologyView, volumeLines, volumesView } from './topology.view';

/** `/v1`: what takes heketi's clients one request a thing, in one. */
@Controller('v1')
export class TopologyController {
  constructor(@Inject(STATE_READER) private readonly reader: ClusterStateReader) {}

  @Get('topology')
  async topology(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, isBrief(request) ? topologyLines(state) : topologyView(state));
  }

  @Get('volumes')
  async volumes(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, { volumes: isBrief(request) ? volumeLines(state) : volumesView(state) });
  }
}

/** `?brief=true`: what lists show. */
const isBrief = (request: GatewayRequest): boolean => (request.query as { readonly brief?: unknown }).brief === 'true';
