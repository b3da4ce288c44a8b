import { ClusterCreateRequest, ClusterId } from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { sendEmpty, sendEmptyJson, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, STATE_READER } from '../tokens';
import { clusterListView, clusterView, newClusterView } from './cluster.view';
import { type CommandSender, newId } from './command-sender';
import { readBody } from './request-body';
import { ID, routeId } from './route-id';
import { idNotFound } from './text-error';

/** `/clusters`: everything here is done when it is answered. */
@Controller('clusters')
export class ClustersController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, clusterListView(state));
  }

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const cluster = state.clusters.get(routeId(ClusterId, request));
    if (cluster === undefined) throw idNotFound();
    sendJson(reply, 200, clusterView(state, cluster));
  }

  @Post()
  async create(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const flags = flagsFrom(request);
    const clusterId = newId() as ClusterId;
    const ids = await this.commands.send(request, reply, { type: 'CreateCluster', clusterId, flags });
    sendJson(reply, 201, newClusterView(ids['clusterId'] ?? clusterId, flags));
  }

  @Post(`${ID}/flags`)
  async setFlags(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const flags = flagsFrom(request);
    const clusterId = routeId(ClusterId, request);
    await this.commands.send(request, reply, { type: 'SetClusterFlags', clusterId, flags });
    sendEmptyJson(reply);
  }

  @Delete(ID)
  async remove(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const clusterId = routeId(ClusterId, request);
    await this.commands.send(request, reply, { type: 'RemoveCluster', clusterId });
    sendEmpty(reply, 200);
  }
}

/** What is absent is off. */
function flagsFrom(request: GatewayRequest): { file: boolean; block: boolean } {
  const { file = false, block = false } = readBody(ClusterCreateRequest, request.body);
  return { file, block };
}
