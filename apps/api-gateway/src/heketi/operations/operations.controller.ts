import { CleanupRequest, type OperationId } from '@brickyard/contracts';
import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { sendAccepted, sendJson } from '../../http/answers';
import { type GatewayReply, type GatewayRequest, idOf } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { COMMAND_SENDER, STATE_READER } from '../../tokens';
import { type CommandSender, newId } from '../command-sender';
import { readBody } from '../request-body';
import { ID } from '../route-id';
import { badRequest, TextError } from '../text-error';
import { cleanupProblem } from '../validation';
import { operationCounts, pendingOperation, pendingOperations } from './pending-operation.view';

/** `/operations`: heketi's view of what is under way. Our own, with every step, is `/v1/operations`. */
@Controller('operations')
export class OperationsController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Get()
  async counts(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, operationCounts(state));
  }

  @Get('pending')
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, { pendingoperations: pendingOperations(state) });
  }

  @Get(`pending/${ID}`)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const id = idOf(request);
    const found = pendingOperation(state, id);
    if (found === undefined) throw new TextError(404, `Id not found: ${id}`);
    sendJson(reply, 200, found);
  }

  /** Removes now what was left on hosts. Ids that name nothing of the kind are passed over, as heketi does. */
  @Post('pending/cleanup')
  async cleanUp(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(CleanupRequest, request.body);
    const problem = cleanupProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const operationId = newId() as OperationId;
    const command = { type: 'CleanUp', operationId, nodeIds: body.operations ?? [] } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
