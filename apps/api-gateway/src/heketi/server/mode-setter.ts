/** Sets the admin mode on behalf of whoever runs the process: by its configuration, or by a signal. */
import { setTimeout as pause } from 'node:timers/promises';
import type { AdminMode, CommandId, CommandReply } from '@brickyard/contracts';
import { describeError, type Logger } from '@brickyard/service-host';
import type { CommandBus } from '../../command-bus';
import { newId } from '../command-sender';

const DEADLINE_MS = 10_000;
const PAUSE_MS = 1_000;

/** Asks until it is answered, or closed. */
export class ModeSetter {
  private readonly closing = new AbortController();

  constructor(
    private readonly bus: CommandBus,
    private readonly log: Logger,
  ) {}

  /** Resolves when the mode is in the log; never rejects. `why` becomes the actor's name there. */
  async set(mode: AdminMode, why: string): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      const reply = await this.ask(mode, why);
      if (reply?.kind === 'accepted') {
        this.log.info({ mode, why, position: reply.position }, 'the admin mode is set');
        return;
      }
      if (reply !== undefined) this.log.error({ mode, why, answer: reply.kind }, 'the admin mode is not set');
      if (reply !== undefined) return;
      await pause(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async ask(mode: AdminMode, why: string): Promise<CommandReply | undefined> {
    const actor = { name: why, role: 'admin' };
    const deadline = Date.now() + DEADLINE_MS;
    const command = { type: 'SetAdminMode', mode } as const;
    try {
      return await this.bus.send(
        { commandId: newId() as CommandId, correlationId: newId(), actor, deadline, command },
        0,
      );
    } catch (error) {
      this.log.warn({ mode, why, reason: describeError(error) }, 'the admin mode cannot be set yet');
      return undefined;
    }
  }

  /** Gives up. */
  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }
}
