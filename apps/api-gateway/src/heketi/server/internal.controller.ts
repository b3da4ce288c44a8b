import { LoggingRequest } from '@brickyard/contracts';
import type { Logger } from '@brickyard/service-host';
import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { HostFacts } from '../../audit/host-facts';
import type { GatewaySettings } from '../../config/gateway.settings';
import { sendIndentedJson, sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { HOST_FACTS, LOG, SETTINGS, STATE_READER } from '../../tokens';
import { readBodyOrExplain } from '../request-body';
import { TextError } from '../text-error';
import { examinerView } from './examiner.view';
import { levelOf, setLevel } from './log-level';

/** `/internal`: this process's log level, and the hosts beside the state. */
@Controller('internal')
export class InternalController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(HOST_FACTS) private readonly facts: HostFacts,
    @Inject(LOG) private readonly log: Logger,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
  ) {}

  @Get('logging')
  level(@Res() reply: GatewayReply): void {
    sendJson(reply, 200, this.loggers());
  }

  @Post('logging')
  setLevel(@Req() request: GatewayRequest, @Res() reply: GatewayReply): void {
    const { loglevel = {} } = readBodyOrExplain(LoggingRequest, request.body);
    const { glusterfs } = loglevel;
    if (glusterfs === undefined) throw new TextError(422, 'Only "glusterfs" logger may be modified');
    if (!setLevel(this.log, glusterfs)) throw new TextError(422, `invalid log level: ${glusterfs}`);
    sendJson(reply, 200, this.loggers());
  }

  @Get('state/examine/gluster')
  async examine(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendIndentedJson(
      reply,
      examinerView(state, (host) => this.facts.of(host), this.settings.chapKeys),
    );
  }

  private loggers(): object {
    return { loglevel: { glusterfs: levelOf(this.log) } };
  }
}
