import {
  BlockRestriction,
  BlockRestrictionRequest,
  type OperationId,
  VolumeCloneRequest,
  VolumeCreateRequest,
  VolumeExpandRequest,
  VolumeId,
} from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../config/gateway.settings';
import { sendAccepted, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, NODE_PROBE, SETTINGS, STATE_READER } from '../tokens';
import { type CommandSender, newId } from './command-sender';
import type { NodeProbe } from './node-probe';
import { readBody } from './request-body';
import { ID, routeId } from './route-id';
import { badRequest, idNotFound } from './text-error';
import { restrictionProblem, volumeCloneProblem, volumeExpandProblem } from './validation';
import { visibleVolume } from './visible';
import { cloneNameFrom, sizeKibFrom, volumeSpecFrom } from './volume-request';
import { volumeListView, volumeView } from './volume.view';

/** `/volumes`. */
@Controller('volumes')
export class VolumesController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
    @Inject(NODE_PROBE) private readonly agents: NodeProbe,
  ) {}

  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, volumeListView(state));
  }

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const volume = visibleVolume(state, routeId(VolumeId, request));
    if (volume === undefined) throw idNotFound();
    sendJson(reply, 200, volumeView(state, volume));
  }

  /** Plans a volume; the answer says where to watch it being built. */
  @Post()
  async create(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(VolumeCreateRequest, request.body);
    const volumeId = newId() as VolumeId;
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, {
      type: 'CreateVolume',
      operationId,
      volumeId,
      spec: volumeSpecFrom(body, volumeId, this.settings.volumeOptions),
      clusters: body.clusters ?? [],
      policy: this.settings.policy,
    });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Post(`${ID}/expand`)
  async expand(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(VolumeExpandRequest, request.body);
    const problem = volumeExpandProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const volumeId = routeId(VolumeId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, {
      type: 'ExpandVolume',
      operationId,
      volumeId,
      addKib: sizeKibFrom(body.expand_size ?? 0),
      policy: this.settings.policy,
    });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  /** Refused at once when a host of the volume cannot do it: nothing is begun that would have to be taken back. */
  @Post(`${ID}/clone`)
  async clone(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(VolumeCloneRequest, request.body);
    const problem = volumeCloneProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const originId = routeId(VolumeId, request);
    const { state } = await this.reader.latest();
    const probe = await this.agents.probeClone(state, visibleVolume(state, originId));
    const volumeId = newId() as VolumeId;
    const operationId = newId() as OperationId;
    const name = cloneNameFrom(body, volumeId);
    const command = { type: 'CloneVolume', operationId, volumeId, originId, name, probe } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Post(`${ID}/block-restriction`)
  async restrict(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(BlockRestrictionRequest, request.body);
    const problem = restrictionProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const restriction = BlockRestriction.parse(body.restriction ?? '');
    const volumeId = routeId(VolumeId, request);
    const operationId = newId() as OperationId;
    const command = { type: 'SetBlockRestriction', operationId, volumeId, restriction } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Delete(ID)
  async remove(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const volumeId = routeId(VolumeId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type: 'DeleteVolume', operationId, volumeId });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
