import { Controller, Get, HttpStatus, Inject, Res } from '@nestjs/common';
import { type RegistryStorage, type StorageReport } from './storage';

export const STORAGE = Symbol('STORAGE');
const REPORT_TIMEOUT_MS = 2_000;

/** What an HTTP reply must be able to do here. */
interface Reply {
  status(code: number): unknown;
}

/** Whether this registry runs, and whether it has a volume to store on. */
@Controller('health')
export class HealthController {
  constructor(@Inject(STORAGE) private readonly storage: RegistryStorage) {}

  @Get('live')
  live(): { readonly status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: Reply): Promise<StorageReport> {
    const report = await this.reportInTime();
    reply.status(report.status === 'ready' ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    return report;
  }

  private reportInTime(): Promise<StorageReport> {
    return new Promise((resolve, reject) => {
      const detail = `the volume did not answer within ${String(REPORT_TIMEOUT_MS)} ms`;
      const timer = setTimeout(() => {
        resolve({ status: 'not ready', mount: { state: 'not mounted' }, detail });
      }, REPORT_TIMEOUT_MS);
      this.storage
        .report()
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer);
        });
    });
  }
}
