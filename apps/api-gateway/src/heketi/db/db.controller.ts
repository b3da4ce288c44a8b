import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../../config/gateway.settings';
import { sendIndentedJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { SETTINGS, STATE_READER } from '../../tokens';
import { goJson } from '../go-json';
import { checkView } from './check.view';
import { dumpView } from './dump.view';

const compress = promisify(gzip);

/** `/db` and `/backup`: the state as heketi's database, at one position of the log. */
@Controller()
export class DatabaseController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
  ) {}

  @Get('db/dump')
  async dump(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendIndentedJson(reply, dumpView(state, this.settings.chapKeys));
  }

  @Get('db/check')
  async check(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendIndentedJson(reply, checkView(dumpView(state, this.settings.chapKeys)));
  }

  /** The dump, compressed: what was lost can be taken in again from it. The truth itself is in PostgreSQL. */
  @Get('backup/db')
  async backup(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const bytes = await compress(goJson(dumpView(state, this.settings.chapKeys)));
    void reply
      .code(200)
      .header('content-type', 'application/octet-stream')
      .header('content-disposition', 'attachment; filename="heketi.db"')
      .header('content-length', bytes.length)
      .send(bytes);
  }
}
