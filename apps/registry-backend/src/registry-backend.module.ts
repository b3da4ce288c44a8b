import type { Metrics } from '@brickyard/service-host';
import { type DynamicModule, Module } from '@nestjs/common';
import { AdminController } from './admin.controller';
import { HealthController, METRICS, SERVICE } from './health.controller';
import type { RegistryService } from './service';

/** HTTP beside the protocol: health and metrics. */
@Module({})
export class RegistryBackendModule {
  static with({ service, metrics }: { readonly service: RegistryService; readonly metrics: Metrics }): DynamicModule {
    return {
      module: RegistryBackendModule,
      controllers: [HealthController, AdminController],
      providers: [
        { provide: SERVICE, useValue: service },
        { provide: METRICS, useValue: metrics },
      ],
    };
  }
}
