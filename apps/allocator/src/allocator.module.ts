import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from '@brickyard/service-host';
import { CommandConsumer } from './command.consumer';
import type { ControlWriter } from './control-writer';
import { CONTROL_WRITER, LOGGER } from './tokens';

/** The leading allocator's door for commands; it exists only while this process leads. */
@Module({})
export class AllocatorModule {
  static leading(writer: ControlWriter, log: Logger): DynamicModule {
    return {
      module: AllocatorModule,
      controllers: [CommandConsumer],
      providers: [
        { provide: CONTROL_WRITER, useValue: writer },
        { provide: LOGGER, useValue: log },
      ],
    };
  }
}
