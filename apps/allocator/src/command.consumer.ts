import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  CommandBatch,
  COMMANDS,
  quick,
  type CommandBatchReply,
  type CommandEnvelope,
  type CommandReply,
  type Rejection,
} from '@brickyard/contracts';
import { Defect, Overloaded } from '@brickyard/event-sourcing';
import {
  continueTrace,
  currentTraceparent,
  describeError,
  inSpan,
  type Counter,
  type Logger,
} from '@brickyard/service-host';
import type { ControlWriter } from './control-writer';
import { CONTROL_WRITER, LOGGER, REFUSALS } from './tokens';

const Batch = quick(CommandBatch);
const RETRY_AFTER_MS = 500;
/** NATS refuses messages over 1 MiB by default. */
const REPLIES_CHARACTERS_MAX = 400_000;

/** Takes batches of client commands and answers each command for itself. */
@Controller()
export class CommandConsumer {
  constructor(
    @Inject(CONTROL_WRITER) private readonly writer: ControlWriter,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(REFUSALS) private readonly refusals: Pick<Counter<'reason'>, 'inc'>,
  ) {}

  @MessagePattern(COMMANDS)
  async take(@Payload() payload: unknown): Promise<CommandBatchReply> {
    const { commands } = Batch.parse(payload);
    return { replies: withinMessage(await Promise.all(commands.map((envelope) => this.answer(envelope)))) };
  }

  private async answer(envelope: CommandEnvelope): Promise<CommandReply> {
    if (envelope.deadline < Date.now()) return unavailable('the deadline had passed when the command arrived');
    const { command, commandId, correlationId } = envelope;
    const attributes = { 'brickyard.command': commandId, 'brickyard.correlation': correlationId };
    return continueTrace(envelope.traceparent, () =>
      inSpan(`command ${command.type}`, attributes, () => this.decide(envelope)),
    );
  }

  /** The events say of which trace they are: what follows from them goes on in it. */
  private async decide(envelope: CommandEnvelope): Promise<CommandReply> {
    const { command, commandId, correlationId, actor } = envelope;
    const traceparent = currentTraceparent() ?? envelope.traceparent;
    const metadata = { correlationId, actor, ...(traceparent === undefined ? {} : { traceparent }) };
    try {
      const { reply, position, repeated } = await inSpan('commit', {}, async (span) => {
        const answer = await this.writer.submit({ command, commandId, metadata });
        span.setAttribute('brickyard.position', answer.position);
        return answer;
      });
      if (reply.kind === 'rejected') this.refusals.inc({ reason: reasonOf(reply.rejection) });
      return reply.kind === 'accepted' ? { ...reply, position, repeated } : { ...reply, position };
    } catch (error) {
      return this.explain(error, envelope);
    }
  }

  private explain(error: unknown, { commandId, command }: CommandEnvelope): CommandReply {
    if (error instanceof Overloaded) return unavailable('the allocator has more commands waiting than it takes');
    if (!(error instanceof Defect)) return unavailable('the allocator has lost its lead or its log');
    this.log.error({ commandId, command: command.type, error: describeError(error) }, 'command not decided');
    return { kind: 'defect', reference: commandId };
  }
}

/** Replies that would make the message too large are asked for again, by themselves: an accepted command has its answer in the log. */
export function withinMessage(
  replies: readonly CommandReply[],
  charactersMax: number = REPLIES_CHARACTERS_MAX,
): CommandReply[] {
  let characters = 0;
  return replies.map((reply, index) => {
    const size = JSON.stringify(reply).length;
    if (index > 0 && characters + size > charactersMax) {
      return unavailable('the answer did not fit into one message with others');
    }
    characters += size;
    return reply;
  });
}

/** The rule behind a refusal: of a placement, why the first cluster that was looked at could not take it. */
function reasonOf(rejection: Rejection): string {
  if (rejection.kind === 'ExpansionNotPlaced') return rejection.refusal.kind;
  if (rejection.kind === 'NotPlaced') return rejection.refusals[0]?.refusal.kind ?? 'NoClusters';
  return rejection.kind;
}

const unavailable = (reason: string): CommandReply => ({ kind: 'unavailable', reason, retryAfterMs: RETRY_AFTER_MS });
