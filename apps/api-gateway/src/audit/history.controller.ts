import type { Logger } from '@brickyard/service-host';
import { describeError } from '@brickyard/service-host';
import { OperationId } from '@brickyard/contracts';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ID, routeId } from '../heketi/route-id';
import { badRequest, idNotFound } from '../heketi/text-error';
import { sendJson } from '../http/answers';
import { type GatewayReply, type GatewayRequest, idOf } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { AGENTS, LEDGER, LOG, STATE_READER } from '../tokens';
import type { AgentWatch } from './agent-watch';
import { readHistory } from './history';
import { endedOperationView, operationListView, operationView } from './operation.view';
import { statusView } from './status.view';

const LIMIT_DEFAULT = 1_000;
const LIMIT_MAX = 10_000;

/** `/v1`: what heketi never had. Who did what, when and why; what runs now and what it waits for. */
@Controller('v1')
export class HistoryController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(LEDGER) private readonly ledger: LedgerReader,
    @Inject(AGENTS) private readonly agents: AgentWatch,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @Get(`history/clusters/${ID}`)
  cluster(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('cluster', request, reply);
  }

  @Get(`history/nodes/${ID}`)
  node(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('node', request, reply);
  }

  @Get(`history/devices/${ID}`)
  device(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('device', request, reply);
  }

  @Get(`history/volumes/${ID}`)
  volume(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('volume', request, reply);
  }

  @Get(`history/operations/${ID}`)
  operation(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('operation', request, reply);
  }

  @Get('status')
  async status(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state, position } = await requestedState(this.reader, request, reply);
    const epoch = await this.leaderEpoch();
    const { problem } = this.reader;
    const facts = {
      position,
      ...(epoch === undefined ? {} : { epoch }),
      ...(problem === undefined ? {} : { problem }),
      agentOf: (host: string) => this.agents.of(host),
    };
    sendJson(reply, 200, statusView(state, facts));
  }

  @Get('operations')
  async operations(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, operationListView(state));
  }

  @Get(`operations/${ID}`)
  async showOperation(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const id = routeId(OperationId, request);
    const running = state.operations.get(id);
    const ended = state.ended.get(id);
    if (running !== undefined) sendJson(reply, 200, operationView(state, running));
    else if (ended !== undefined) sendJson(reply, 200, endedOperationView(ended));
    else throw idNotFound();
  }

  private async history(kind: string, request: GatewayRequest, reply: GatewayReply): Promise<void> {
    const { position, isPast } = await requestedState(this.reader, request, reply);
    const range = { upTo: isPast ? position : undefined, limit: limitOf(request) };
    const events = await readHistory(this.ledger, `${kind}-${idOf(request)}`, range);
    if (events.length === 0) throw idNotFound();
    sendJson(reply, 200, { events });
  }

  /** Only Postgres knows it; the status is worth having without. */
  private async leaderEpoch(): Promise<number | undefined> {
    try {
      return (await this.ledger.head()).epoch;
    } catch (error) {
      this.log.warn({ reason: describeError(error) }, 'the leader is not known: Postgres does not answer');
      return undefined;
    }
  }
}

function limitOf(request: GatewayRequest): number {
  const { limit } = request.query as Readonly<Record<string, unknown>>;
  if (limit === undefined) return LIMIT_DEFAULT;
  const number = typeof limit === 'string' && /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (number >= 1 && number <= LIMIT_MAX) return number;
  throw badRequest(`query parameter limit must be a whole number from 1 to ${String(LIMIT_MAX)}`);
}
