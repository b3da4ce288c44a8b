/** From a request to an answered command: who asks, under which id, until when. */
import { createHash, randomBytes } from 'node:crypto';
import { type ClientCommand, type CommandEnvelope, CommandId } from '@brickyard/contracts';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { currentTraceparent, type Logger, Unavailable } from '@brickyard/service-host';
import type { CommandBus } from '../command-bus';
import { POSITION_HEADER } from '../http/answers';
import { contextOf, correlate, type GatewayReply, type GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import type { InFlightLimit } from './in-flight';
import type { Refusals } from './refusals';
import { badRequest, CommandRejected, TextError } from './text-error';

/** What a command came to: ids as they were chosen the first time, also when this was a repeat. */
export type AcceptedIds = Readonly<Record<string, string>>;

/** What the sender needs. */
export interface SenderParts {
  readonly bus: CommandBus;
  readonly reader: ClusterStateReader;
  readonly ledger: Pick<LedgerReader, 'read'>;
  readonly limit: InFlightLimit;
  readonly log: Logger;
  readonly refusals: Refusals;
}

const DEADLINE_MS = 10_000;
/** Room for method and path within the longest command id. */
const KEY = /^[\x21-\x7e]{1,120}$/;
/** A command leaves room for others in a message of at most 1 MiB. */
const COMMAND_BYTES_MAX = 384 * 1024;

const ID_BYTES = 16;
/** Drawn together: one call for each id costs more than all that is done with it. */
const IDS_DRAWN = 256;
let drawn = Buffer.alloc(0);
let drawnAt = 0;

/** 16 random bytes as every id of heketi's. */
export function newId(): string {
  if (drawnAt >= drawn.length) {
    drawn = randomBytes(ID_BYTES * IDS_DRAWN);
    drawnAt = 0;
  }
  drawnAt += ID_BYTES;
  return drawn.toString('hex', drawnAt - ID_BYTES, drawnAt);
}

/** Sends commands on behalf of requests. */
export class CommandSender {
  constructor(private readonly parts: SenderParts) {}

  /** Resolves when the command is in the log. Throws `CommandRejected`, `Unavailable` or 429. */
  async send(request: GatewayRequest, reply: GatewayReply, command: ClientCommand): Promise<AcceptedIds> {
    const commandId = commandIdOf(request);
    const bytes = Buffer.isBuffer(request.body) ? request.body.length : 0;
    if (bytes > COMMAND_BYTES_MAX) throw new TextError(413, 'request body too large');
    const leave = this.parts.limit.enter(command);
    const correlationId = correlationIdOf(request, commandId);
    const answer = await this.ask(request, { commandId, correlationId, command }, bytes, leave);
    if (answer.kind === 'defect') {
      leave(0);
      throw new TextError(500, `internal error; the log tells more under reference ${answer.reference}`);
    }
    leave(answer.kind === 'accepted' ? answer.position : 0);
    this.parts.reader.acknowledge(answer.position);
    void reply.header(POSITION_HEADER, answer.position);
    if (answer.kind === 'rejected') {
      this.remember(request, command, correlationId, answer.position);
      throw new CommandRejected(command.type, answer.rejection, correlationId);
    }
    if (answer.repeated) await this.refuseAnother(correlationId, answer.position);
    return answer.ids;
  }

  /** The answer to a key is the one to the first request under it; to another one it would be a lie. */
  private async refuseAnother(correlationId: string, position: number): Promise<void> {
    const first = await this.correlationIdAt(position);
    if (first === undefined || first === correlationId) return;
    if (first.slice(0, DIGEST_LENGTH) !== correlationId.slice(0, DIGEST_LENGTH)) return; // Drawn, by an earlier release.
    throw new TextError(
      422,
      'Idempotency-Key was used before, for a request with another body; this one was not done: give it a key of its own',
    );
  }

  private async correlationIdAt(position: number): Promise<string | undefined> {
    for await (const [event] of this.parts.ledger.read({ after: position - 1, upTo: position })) {
      return event?.metadata.correlationId;
    }
    return undefined;
  }

  private remember(request: GatewayRequest, command: ClientCommand, id: string, position: number): void {
    const { actor, path } = contextOf(request);
    const { method } = request;
    const refusedAt = new Date().toISOString();
    this.parts.refusals.remember({ id, command, position, actor, request: { method, path }, refusedAt });
  }

  private async ask(
    request: GatewayRequest,
    { commandId, correlationId, command }: Pick<CommandEnvelope, 'commandId' | 'correlationId' | 'command'>,
    bytes: number,
    leave: (visibleAt: number) => void,
  ): ReturnType<CommandBus['send']> {
    const traceparent = currentTraceparent();
    const deadline = Date.now() + DEADLINE_MS;
    const { actor } = contextOf(request);
    correlate(request, correlationId);
    const envelope = { commandId, correlationId, actor, deadline, command };
    try {
      return await this.parts.bus.send(traceparent === undefined ? envelope : { ...envelope, traceparent }, bytes);
    } catch (error) {
      leave(0);
      if (!(error instanceof Unavailable)) throw error;
      throw new Unavailable(
        `${error.message}: whether this request took effect is not known; repeat it with the same Idempotency-Key, or look`,
        { cause: error, ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }) },
      );
    }
  }
}

/** The same key on the same method and path means the same command. Without a key the id still tells which request it was. */
function commandIdOf(request: GatewayRequest): CommandId {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return freshCommandId(request);
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw badRequest('Idempotency-Key must be 1 to 120 printable ASCII characters without spaces');
  }
  const parsed = CommandId.safeParse(`${askedBy(request)}${key}`);
  if (parsed.success) return parsed.data;
  throw badRequest('Idempotency-Key cannot be used with this path');
}

/** Of a request under a key the same each time: digests of the key and of the body, so that the log tells what was asked first. */
function correlationIdOf({ headers, body }: GatewayRequest, commandId: CommandId): string {
  if (headers['idempotency-key'] === undefined) return newId();
  return `${digestOf(commandId)}${digestOf(Buffer.isBuffer(body) ? body : '')}`;
}

const DIGEST_LENGTH = 16;
const digestOf = (text: string | Buffer): string =>
  createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);

function freshCommandId(request: GatewayRequest): CommandId {
  const id = newId();
  const parsed = CommandId.safeParse(`${askedBy(request)}${id}`);
  return parsed.success ? parsed.data : (id as CommandId);
}

function askedBy(request: GatewayRequest): string {
  const { actor, path } = contextOf(request);
  return `${actor.name}:${request.method}:${path}:`;
}
