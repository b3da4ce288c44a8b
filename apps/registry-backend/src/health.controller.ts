import type { Metrics } from '@brickyard/service-host';
import { Controller, Get, HttpStatus, Inject, Res } from '@nestjs/common';
import type { RegistryService } from './service';
import type { StorageReport } from '@brickyard/volume-storage';

export const SERVICE = Symbol('SERVICE');
export const METRICS = Symbol('METRICS');
const REPORT_TIMEOUT_MS = 2_000;

/** What an HTTP reply must be able to do here. */
interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

/** What `/health/ready` tells of the facts. */
interface FactsReport {
  readonly state: 'not configured' | 'loading' | 'leading' | 'following' | 'stopped';
  readonly position: number;
  /** Why they are stopped: reads go on as of this position, nothing is written. */
  readonly detail?: string;
}

/** Whether this replica runs, whether it can write to its volume, and how it stands to the log. */
@Controller()
export class HealthController {
  constructor(
    @Inject(SERVICE) private readonly service: RegistryService,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  @Get('health/live')
  live(): { readonly status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: Reply): Promise<StorageReport & { readonly facts: FactsReport }> {
    const report = await this.reportInTime();
    const facts = this.facts();
    const isReady = report.status === 'ready' && facts.state !== 'loading';
    reply.status(isReady ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    return { ...report, status: isReady ? 'ready' : 'not ready', facts };
  }

  @Get('metrics')
  async text(@Res({ passthrough: true }) reply: Reply): Promise<string> {
    reply.header('content-type', this.metrics.contentType);
    return this.metrics.text();
  }

  private facts(): FactsReport {
    const { facts } = this.service;
    if (facts === undefined) return { state: 'not configured', position: 0 };
    const { position } = facts.current;
    if (!facts.isLoaded) return { state: 'loading', position };
    if (facts.obstacle !== undefined) return { state: 'stopped', position, detail: facts.obstacle };
    return { state: facts.isLeader ? 'leading' : 'following', position };
  }

  private reportInTime(): Promise<StorageReport> {
    return new Promise((resolve, reject) => {
      const detail = `the volume did not answer within ${String(REPORT_TIMEOUT_MS)} ms`;
      const timer = setTimeout(() => {
        resolve({ status: 'not ready', mount: { state: 'not mounted' }, detail });
      }, REPORT_TIMEOUT_MS);
      this.service.storage
        .report()
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer);
        });
    });
  }
}
