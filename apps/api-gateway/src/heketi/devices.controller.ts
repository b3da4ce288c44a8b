import {
  DeviceAddRequest,
  DeviceDeleteRequest,
  DeviceId,
  NodeId,
  type OperationId,
  StateRequest,
} from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { sendAccepted, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, STATE_READER } from '../tokens';
import { adminStateFrom } from './admin-state';
import { type CommandSender, newId } from './command-sender';
import { deviceView } from './device.view';
import { readBody, readOptionalBody } from './request-body';
import { ID, routeId } from './route-id';
import { badRequest, idNotFound, TextError } from './text-error';
import { deviceAddProblem } from './validation';
import { visibleDevice } from './visible';

/** `/devices`. */
@Controller('devices')
export class DevicesController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const device = visibleDevice(state, routeId(DeviceId, request));
    if (device === undefined) throw idNotFound();
    sendJson(reply, 200, deviceView(state, device));
  }

  @Post()
  async add(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { name = '', node = '', destroydata, tags } = readBody(DeviceAddRequest, request.body);
    const problem = deviceAddProblem({ name, node, destroydata, tags });
    if (problem !== undefined) throw badRequest(problem);
    const nodeId = NodeId.safeParse(node);
    if (!nodeId.success) throw new TextError(404, 'Node id does not exist'); // Upper case: nothing has such an id.
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, {
      type: 'AddDevice',
      operationId,
      deviceId: newId() as DeviceId,
      nodeId: nodeId.data,
      name,
      destroyData: destroydata ?? false,
      tags: tags ?? {},
    });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Post(`${ID}/state`)
  async setState(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const state = adminStateFrom(readBody(StateRequest, request.body));
    const deviceId = routeId(DeviceId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type: 'SetDeviceState', operationId, deviceId, state });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Delete(ID)
  async remove(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const forceForget = readOptionalBody(DeviceDeleteRequest, request.body)?.forceforget ?? false;
    const deviceId = routeId(DeviceId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type: 'RemoveDevice', operationId, deviceId, forceForget });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
