import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { HostFacts } from '../audit/host-facts';
import type { CommandSender } from '../heketi/command-sender';
import { sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { COMMAND_SENDER, HOST_FACTS, STATE_READER } from '../tokens';
import { hostsOf, restoreView } from './restore.view';

/** Longer than an agent needs to look at its host. */
const LOOK_MS = 3_000;

/** `/v1/restore`: a log that was put back from a backup, and what it waits for. */
@Controller('v1/restore')
export class RestoreController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(HOST_FACTS) private readonly facts: HostFacts,
  ) {}

  @Get()
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const isHeard = (host: string): boolean => this.facts.of(host) !== undefined;
    // Hosts tell what is new; a gateway that began to listen afterwards has to ask.
    const unheard = state.hold === undefined ? [] : hostsOf(state).filter((host) => !isHeard(host));
    if (unheard.length > 0) await this.facts.ask(unheard, LOOK_MS);
    sendJson(reply, 200, restoreView(state, isHeard));
  }

  /** Goes on in spite of differences. */
  @Post('confirm')
  async confirm(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    await this.commands.send(request, reply, { type: 'ConfirmRestore' });
    sendJson(reply, 200, {});
  }
}
