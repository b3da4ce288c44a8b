import { RebuildRequest } from '@brickyard/contracts';
import { planRebuild } from '@brickyard/domain';
import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { HostFacts } from '../audit/host-facts';
import type { CommandSender } from '../heketi/command-sender';
import { tellRejection } from '../heketi/rejection-texts';
import { readBodyOrExplain } from '../heketi/request-body';
import { CommandRejected } from '../heketi/text-error';
import { sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import { COMMAND_SENDER, HOST_FACTS } from '../tokens';

/** A host with thousands of volumes takes its time. */
const PATIENCE_MS = 20_000;

/** `POST /v1/rebuild`: takes into the log what the stamps on hosts tell, first as a preview. */
@Controller('v1/rebuild')
export class RebuildController {
  constructor(
    @Inject(HOST_FACTS) private readonly facts: HostFacts,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
  ) {}

  @Post()
  @HttpCode(200)
  async rebuild(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { hosts, apply } = readBodyOrExplain(RebuildRequest, request.body);
    const looks = await this.facts.ask([...new Set(hosts)], PATIENCE_MS);
    const { commands, assumed, undecided } = planRebuild(looks);
    const answered = new Set<string>(looks.map(({ host }) => host));
    const silent = hosts
      .filter((host) => !answered.has(host))
      .map((host) => ({ about: `host ${host}`, text: 'no agent of this name told what it has' }));
    const refused: { about: string; text: string }[] = [];
    for (const command of apply ? commands : []) {
      try {
        await this.commands.send(request, reply, command);
      } catch (error) {
        if (!(error instanceof CommandRejected)) throw error;
        refused.push({ about: command.type, text: tellRejection(error.rejection, command.type).text });
      }
    }
    sendJson(reply, 200, {
      applied: apply,
      adopt: commands,
      assumed,
      undecided: [...silent, ...undecided, ...refused],
    });
  }
}
