import { DriftId, type OperationId } from '@brickyard/contracts';
import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { type CommandSender, newId } from '../heketi/command-sender';
import { ID, routeId } from '../heketi/route-id';
import { idNotFound } from '../heketi/text-error';
import { sendAccepted, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, STATE_READER } from '../tokens';
import { driftListView, driftView } from './drift.view';

/** `/v1/drift`: where hosts and log differ, and what is to be done about it. */
@Controller('v1/drift')
export class DriftController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, driftListView(state));
  }

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const drift = state.drift.get(routeId(DriftId, request));
    if (drift === undefined) throw idNotFound();
    sendJson(reply, 200, driftView(state, drift));
  }

  /** What the hosts have is what is wanted from now on. */
  @Post(`${ID}/accept`)
  accept(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.settle('AcceptDrift', request, reply);
  }

  /** The hosts get back what the log says. */
  @Post(`${ID}/restore`)
  restore(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.settle('RestoreDrift', request, reply);
  }

  private async settle(
    type: 'AcceptDrift' | 'RestoreDrift',
    request: GatewayRequest,
    reply: GatewayReply,
  ): Promise<void> {
    const driftId = routeId(DriftId, request);
    const operationId = newId() as OperationId;
    const ids = await this.commands.send(request, reply, { type, operationId, driftId });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
