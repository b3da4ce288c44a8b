import { BrickEvictRequest, BrickId, type OperationId } from '@brickyard/contracts';
import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../config/gateway.settings';
import { sendAccepted } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import { COMMAND_SENDER, SETTINGS } from '../tokens';
import { moveOptionsFrom } from './admin-state';
import { type CommandSender, newId } from './command-sender';
import { readOptionalBody } from './request-body';
import { ID, routeId } from './route-id';
import { badRequest } from './text-error';
import { healCheckProblem } from './validation';

/** `/bricks`. */
@Controller('bricks')
export class BricksController {
  constructor(
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
  ) {}

  /** Moves a brick to another device; it has another id afterwards. */
  @Post(`to-evict/${ID}`)
  async evict(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readOptionalBody(BrickEvictRequest, request.body) ?? {};
    const problem = healCheckProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const brickId = routeId(BrickId, request);
    const operationId = newId() as OperationId;
    const moves = moveOptionsFrom(body, this.settings.policy);
    const ids = await this.commands.send(request, reply, { type: 'EvictBrick', operationId, brickId, ...moves });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
