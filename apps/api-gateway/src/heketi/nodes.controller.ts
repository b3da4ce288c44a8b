import { ClusterId, HostName, NodeAddRequest, NodeId, type OperationId, StateRequest } from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../config/gateway.settings';
import { sendAccepted, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, NODE_PROBE, SETTINGS, STATE_READER } from '../tokens';
import { adminStateFrom, moveOptionsFrom } from './admin-state';
import { type CommandSender, newId } from './command-sender';
import type { NodeProbe } from './node-probe';
import { sortedTags } from './device.view';
import { nodeView } from './node.view';
import { readBody } from './request-body';
import { ID, routeId } from './route-id';
import { tagChangeFrom } from './tag-change';
import { badRequest, idNotFound, TextError } from './text-error';
import { nodeAddProblem } from './validation';
import { visibleNode } from './visible';

/** `/nodes`. */
@Controller('nodes')
export class NodesController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
    @Inject(NODE_PROBE) private readonly agents: NodeProbe,
  ) {}

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const node = visibleNode(state, routeId(NodeId, request));
    if (node === undefined) throw idNotFound();
    sendJson(reply, 200, nodeView(state, node));
  }

  @Post()
  async add(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { zone, clusterId, hostnames, tags } = nodeFrom(readBody(NodeAddRequest, request.body));
    const { state } = await this.reader.latest();
    const probe = await this.agents.probe(state, state.clusters.get(clusterId), hostnames.manage[0]);
    const operationId = newId() as OperationId;
    const nodeId = newId() as NodeId;
    const { manage, storage } = hostnames;
    const names = { manage: [...manage], storage: [...storage] };
    const command = { type: 'AddNode', operationId, nodeId, clusterId, zone, hostnames: names, tags, probe } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Post(`${ID}/state`)
  async setState(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(StateRequest, request.body);
    const state = adminStateFrom(body);
    const nodeId = routeId(NodeId, request);
    const operationId = newId() as OperationId;
    const moves = moveOptionsFrom(body, this.settings.policy);
    const command = { type: 'SetNodeState', operationId, nodeId, state, ...moves } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  /** Done when it is answered; the answer is all the tags there are now. */
  @Post(`${ID}/tags`)
  async changeTags(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const change = tagChangeFrom(request);
    const nodeId = routeId(NodeId, request);
    await this.commands.send(request, reply, { type: 'ChangeNodeTags', nodeId, ...change });
    const { state } = await this.reader.latest();
    sendJson(reply, 200, sortedTags(state.nodes.get(nodeId)?.tags ?? {}));
  }

  @Delete(ID)
  async remove(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const nodeId = routeId(NodeId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type: 'RemoveNode', operationId, nodeId });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}

interface CheckedNode {
  readonly zone: number;
  readonly clusterId: ClusterId;
  readonly hostnames: { readonly manage: readonly [HostName, ...HostName[]]; readonly storage: readonly HostName[] };
  readonly tags: Readonly<Record<string, string>>;
}

/** The node a request describes; throws the 400 or 404 of the first thing wrong. */
function nodeFrom(request: NodeAddRequest): CheckedNode {
  const problem = nodeAddProblem(request);
  if (problem !== undefined) throw badRequest(problem);
  const clusterId = ClusterId.safeParse(request.cluster);
  if (!clusterId.success) throw new TextError(404, 'Cluster id does not exist'); // Upper case: nothing has such an id.
  const [first, ...others] = (request.hostnames?.manage ?? []).map((name) => HostName.parse(name));
  if (first === undefined) throw new Error('a request without a host name was found acceptable');
  const storage = (request.hostnames?.storage ?? []).map((name) => HostName.parse(name));
  const hostnames = { manage: [first, ...others] as const, storage };
  return { zone: request.zone ?? 0, clusterId: clusterId.data, hostnames, tags: request.tags ?? {} };
}
