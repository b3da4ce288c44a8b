/** Clients: they send, send again, and remember every answer. */
import type { ClientCommand, CommandEnvelope, CommandId } from '@brickyard/contracts';
import { canonicalJson } from '@brickyard/event-sourcing';
import { EPOCH_MS } from './kernel';
import { demand, type LedgerChecks } from './ledger-checks';
import type { World } from './world';
import type { Decided } from './product';

/** One command and what its sender was told. */
interface Asked {
  readonly command: ClientCommand;
  readonly answers: Decided[];
  open: number;
}

const PATIENCE_MS = 40_000;

export class Clients {
  private readonly asked = new Map<string, Asked>();

  constructor(
    private readonly world: World,
    private readonly checks: LedgerChecks,
  ) {}

  get waiting(): number {
    return [...this.asked.values()].reduce((sum, { open }) => sum + open, 0);
  }

  /** The ids that were used, for those who want to use one again. */
  get commandIds(): readonly string[] {
    return [...this.asked.keys()];
  }

  commandOf(commandId: string): ClientCommand | undefined {
    return this.asked.get(commandId)?.command;
  }

  /** Sends through one of the gateways that run; nothing is sent when none does. */
  send(commandId: string, command: ClientCommand): void {
    const { kernel } = this.world;
    const gateway = kernel.random.oneOf([...this.world.gateways]);
    if (gateway === undefined) return;
    const [name, door] = gateway;
    const asked = this.asked.get(commandId) ?? { command, answers: [], open: 0 };
    this.asked.set(commandId, asked);
    asked.open += 1;
    this.world.trace(() => `client asks ${name}: ${describe(command)} as ${commandId.slice(0, 8)}`);
    const envelope: CommandEnvelope = {
      commandId: commandId as CommandId,
      correlationId: commandId,
      actor: { name: 'client', address: '192.0.2.1' },
      deadline: EPOCH_MS + Math.floor(kernel.now) + PATIENCE_MS,
      command,
    };
    // The client outlives the gateway: it hears of an answer, or that there will be none.
    const close = kernel.outside(PATIENCE_MS + 5_000, () => {
      asked.open -= 1;
    });
    const settle = (answer: Decided | undefined): void => {
      if (close.run === undefined) return;
      kernel.cancel(close);
      asked.open -= 1;
      if (answer !== undefined)
        this.world.watch(() => {
          this.hear(commandId, asked, answer);
        });
    };
    kernel.later(
      0,
      () => {
        door.send(envelope).then(settle, () => {
          settle(undefined);
        });
      },
      door.proc,
    );
  }

  private hear(commandId: string, asked: Asked, answer: Decided): void {
    this.world.trace(() => `client hears of ${commandId.slice(0, 8)}: ${JSON.stringify(answer).slice(0, 200)}`);
    asked.answers.push(answer);
    demand(
      answer.kind !== 'defect',
      'no command is a defect',
      () => `${describe(asked.command)}: ${JSON.stringify(answer)}`,
    );
    if (answer.kind !== 'accepted') return;
    const { position } = answer;
    demand(
      position <= this.checks.position,
      'an acknowledged command is in the log',
      () => `${commandId} at ${String(position)}, the log ends at ${String(this.checks.position)}`,
    );
    const first = asked.answers.find((one) => one.kind === 'accepted');
    const effect = this.checks.effects.get(commandId);
    if (effect === undefined) return; // Accepted because it was so already.
    demand(
      effect.last === position,
      'an acknowledged command is in the log',
      () => `${commandId} was told ${String(position)}, the log has ${String(effect.last)}`,
    );
    demand(
      first === undefined || canonicalJson(first.ids) === canonicalJson(answer.ids),
      'the same command id gets the same answer',
      () => commandId,
    );
  }

  /** After everything: what was promised is there still. */
  checkAll(): void {
    for (const [commandId, { command, answers }] of this.asked) {
      for (const answer of answers) {
        if (answer.kind !== 'accepted') continue;
        const effect = this.checks.effects.get(commandId);
        const isEffect = effect === undefined || effect.last === answer.position;
        demand(isEffect, 'an acknowledged command is in the log', () => describe(command));
      }
    }
  }
}

export function describe(command: ClientCommand): string {
  const { type, ...rest } = command;
  const words = Object.entries(rest).map(([name, value]) =>
    typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
      ? `${name}=${value.slice(0, 8)}`
      : `${name}=${JSON.stringify(value)}`,
  );
  return `${type} ${words.filter((word) => !word.startsWith('policy=')).join(' ')}`;
}
