import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { badRequest } from '../heketi/text-error';
import { sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { AGENTS, LEDGER, STATE_READER } from '../tokens';
import type { AgentWatch } from './agent-watch';
import { numberOf, parameterOf, type Query } from './events/event-query';
import { type HostKind, overviewView, volumePageView } from './overview.view';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 1_000;

/** `/v1/overview`: what the console's pages are drawn from. */
@Controller('v1/overview')
export class OverviewController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(LEDGER) private readonly ledger: LedgerReader,
    @Inject(AGENTS) private readonly agents: AgentWatch,
  ) {}

  @Get()
  async overview(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state, position } = await requestedState(this.reader, request, reply);
    const { problem } = this.reader;
    const time = await this.timeOf(position);
    const facts = {
      position,
      head: this.reader.position,
      kindOf: (host: string) => this.kindOf(host),
      ...(time === undefined ? {} : { time }),
      ...(problem === undefined ? {} : { problem }),
    };
    sendJson(reply, 200, overviewView(state, facts));
  }

  @Get('volumes')
  async volumes(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const query = request.query as Query;
    const search = parameterOf(query, 'search') ?? '';
    const limit = numberOf(query, 'limit', PAGE_DEFAULT, PAGE_MAX);
    sendJson(reply, 200, volumePageView(state, { search, limit, offset: offsetOf(query) }));
  }

  private kindOf(host: string): HostKind {
    const heard = this.agents.of(host);
    if (heard === undefined) return 'unknown';
    return heard.heartbeat.simulated ? 'simulated' : 'real';
  }

  /** Only Postgres knows it; the page is worth having without. */
  private async timeOf(position: number): Promise<string | undefined> {
    if (position === 0) return undefined;
    try {
      for await (const [event] of this.ledger.read({ after: position - 1, upTo: position })) return event?.recordedAt;
    } catch {
      return undefined; // Postgres is away: reads go on from memory.
    }
    return undefined;
  }
}

function offsetOf(query: Query): number {
  const text = parameterOf(query, 'offset') ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw badRequest('query parameter offset must be a whole number');
}
