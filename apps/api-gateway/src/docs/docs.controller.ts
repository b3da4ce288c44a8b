import { openApiDocument } from '@brickyard/contracts';
import { Controller, Get, Res } from '@nestjs/common';
import type { GatewayReply } from '../http/gateway-request';
import { docsPage } from './docs.page';

/** The API's description, for programs and for people. It holds nothing secret, and a browser signs nothing. */
@Controller()
export class DocsController {
  private readonly json = JSON.stringify(openApiDocument());
  private readonly page = docsPage(openApiDocument());

  @Get('openapi.json')
  document(@Res() reply: GatewayReply): void {
    void reply.header('content-type', 'application/json; charset=utf-8').send(this.json);
  }

  @Get('docs')
  show(@Res() reply: GatewayReply): void {
    void reply.header('content-type', 'text/html; charset=utf-8').send(this.page);
  }
}
