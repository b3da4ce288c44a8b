import { type DynamicModule, Module } from '@nestjs/common';
import type { Counter, Logger } from '@brickyard/service-host';
import { CommandConsumer } from './command.consumer';
import type { ControlWriter } from './control-writer';
import { CONTROL_WRITER, LOGGER, REFUSALS } from './tokens';

/** The leading allocator's door for commands; it exists only while this process leads. */
@Module({})
export class AllocatorModule {
  static leading(writer: ControlWriter, log: Logger, refusals: Counter<'reason'>): DynamicModule {
    return {
      module: AllocatorModule,
      controllers: [CommandConsumer],
      providers: [
        { provide: CONTROL_WRITER, useValue: writer },
        { provide: LOGGER, useValue: log },
        { provide: REFUSALS, useValue: refusals },
      ],
    };
  }
}
