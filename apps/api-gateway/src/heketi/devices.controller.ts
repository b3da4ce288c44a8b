import {
  DeviceAddRequest,
  DeviceDeleteRequest,
  DeviceId,
  NodeId,
  type OperationId,
  StateRequest,
} from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../config/gateway.settings';
import { sendAccepted, sendAcceptedLink, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { refusePast, requestedState } from '../state/requested-state';
import { COMMAND_SENDER, SETTINGS, STATE_READER } from '../tokens';
import { adminStateFrom, moveOptionsFrom } from './admin-state';
import { type CommandSender, newId } from './command-sender';
import { deviceView, sortedTags } from './device.view';
import { readBody, readOptionalBody } from './request-body';
import { ID, routeId } from './route-id';
import { tagChangeFrom } from './tag-change';
import { badRequest, idNotFound, TextError } from './text-error';
import { deviceAddProblem } from './validation';
import { visibleDevice } from './visible';

/** `/devices`. */
@Controller('devices')
export class DevicesController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
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
    const body = readBody(StateRequest, request.body);
    const state = adminStateFrom(body);
    const deviceId = routeId(DeviceId, request);
    const operationId = newId() as OperationId;
    const moves = moveOptionsFrom(body, this.settings.policy);
    const command = { type: 'SetDeviceState', operationId, deviceId, state, ...moves } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  /** A GET that changes something, since heketi's is one: the device is looked at again on its host. */
  @Get(`${ID}/resync`)
  async resync(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const deviceId = routeId(DeviceId, request);
    refusePast(request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type: 'ResyncDevice', operationId, deviceId });
    sendAcceptedLink(reply, ids['operationId'] ?? operationId);
  }

  @Post(`${ID}/tags`)
  async changeTags(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const change = tagChangeFrom(request);
    const deviceId = routeId(DeviceId, request);
    await this.commands.send(request, reply, { type: 'ChangeDeviceTags', deviceId, ...change });
    const { state } = await this.reader.latest();
    sendJson(reply, 200, sortedTags(state.devices.get(deviceId)?.tags ?? {}));
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
