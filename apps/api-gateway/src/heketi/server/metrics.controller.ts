import type { Metrics } from '@brickyard/service-host';
import type { ControlState } from '@brickyard/domain';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { GatewayReply } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { METRICS, STATE_READER } from '../../tokens';
import { heketiMetrics } from './heketi-metrics.view';

/** `/metrics`, for Prometheus and without a token: heketi's gauges, then our own. */
@Controller('metrics')
export class MetricsController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(METRICS) private readonly metrics: Pick<Metrics, 'text' | 'contentType'>,
  ) {}

  @Get()
  async show(@Res() reply: GatewayReply): Promise<void> {
    const text = heketiMetrics(this.state()) + (await this.metrics.text());
    void reply.header('content-type', this.metrics.contentType).send(text);
  }

  /** Somebody who watches wants an answer also while there is nothing to tell. */
  private state(): ControlState | undefined {
    try {
      return this.reader.current().state;
    } catch {
      return undefined;
    }
  }
}
