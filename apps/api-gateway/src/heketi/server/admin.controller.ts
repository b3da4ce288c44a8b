import { AdminMode, AdminRequest } from '@brickyard/contracts';
import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { sendEmpty, sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { COMMAND_SENDER, STATE_READER } from '../../tokens';
import type { CommandSender } from '../command-sender';
import { readBodyOrExplain } from '../request-body';
import { badRequest } from '../text-error';
import { adminProblem } from '../validation';

/** `/admin`: whether anything may be changed. For all gateways at once, and kept. */
@Controller('admin')
export class AdminController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Get()
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, { state: state.adminMode });
  }

  @Post()
  async set(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBodyOrExplain(AdminRequest, request.body);
    const problem = adminProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    await this.commands.send(request, reply, { type: 'SetAdminMode', mode: AdminMode.parse(body.state) });
    await this.reader.latest(); // This gateway keeps to it from its next request on.
    sendEmpty(reply, 204);
  }
}
