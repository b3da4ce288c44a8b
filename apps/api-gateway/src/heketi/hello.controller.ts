import { Controller, Get, Res } from '@nestjs/common';
import type { GatewayReply } from '../http/gateway-request';

/** What probes ask without a token. */
@Controller('hello')
export class HelloController {
  @Get()
  hello(@Res() reply: GatewayReply): void {
    void reply.header('content-type', 'text/plain; charset=UTF-8').send('Hello from Heketi');
  }
}
