import { type DynamicModule, Module } from '@nestjs/common';
import { HealthController, STORAGE } from './health.controller';
import type { RegistryStorage } from './storage';

/** HTTP of the registry backend: at present its health alone. */
@Module({})
export class RegistryBackendModule {
  static with(storage: RegistryStorage): DynamicModule {
    return {
      module: RegistryBackendModule,
      controllers: [HealthController],
      providers: [{ provide: STORAGE, useValue: storage }],
    };
  }
}
