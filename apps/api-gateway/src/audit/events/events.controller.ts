/** `/v1/events`: the log itself, searched or followed. */
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { badRequest } from '../../heketi/text-error';
import { POSITION_HEADER, sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { momentPosition, requestedState } from '../../state/requested-state';
import { EVENT_STREAMS, LEDGER, STATE_READER } from '../../tokens';
import { entryOf } from './event-entry';
import { filterFrom, numberOf, parameterOf, type Query } from './event-query';
import type { EventStreams } from './event-streams';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 10_000;
const POSITION = /^\d{1,15}$/;

@Controller('v1/events')
export class EventsController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(LEDGER) private readonly ledger: LedgerReader,
    @Inject(EVENT_STREAMS) private readonly streams: EventStreams,
  ) {}

  /** Events that pass a filter, page by page. */
  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const query = request.query as Query;
    const { position } = await requestedState(this.reader, request, reply);
    const filter = filterFrom(query);
    const newestFirst = orderOf(query) === 'newest';
    const from = Math.max(1, await this.bound(query, 'from', 1));
    const to = Math.min(position, await this.bound(query, 'to', position));
    const range = { from, to, limit: numberOf(query, 'limit', LIMIT_DEFAULT, LIMIT_MAX), newestFirst };
    const { events, next } = await this.ledger.find(filter, range);
    const more = next === undefined ? {} : { next: nextPath(query, newestFirst ? 'to' : 'from', next, position) };
    sendJson(reply, 200, { position, events: events.map(entryOf), ...more });
  }

  /** The same as server-sent events that never end. */
  @Get('stream')
  async stream(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const query = request.query as Query;
    const filter = filterFrom(query);
    const { position } = await this.reader.latest();
    const from = await this.startOf(request, query, position);
    void reply.header(POSITION_HEADER, position);
    void reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
    void reply.header('connection', 'close');
    void reply.header('x-accel-buffering', 'no'); // Proxies that gather answers would hold events back.
    reply.hijack();
    reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    await this.streams.follow(reply.raw, { from, filter });
  }

  /** After the last event a client has seen, else where the query says, else with the next event. */
  private async startOf(request: GatewayRequest, query: Query, position: number): Promise<number> {
    const seen = request.headers['last-event-id'];
    if (seen !== undefined && seen !== '') {
      if (typeof seen === 'string' && POSITION.test(seen) && Number(seen) <= position) return Number(seen) + 1;
      throw badRequest(`Last-Event-ID must be a position of the log, which ends at ${String(position)}`);
    }
    const from = await this.bound(query, 'from', position + 1);
    if (from <= position + 1) return Math.max(1, from);
    throw badRequest(`position ${String(from)} is beyond the end of the log, which is ${String(position)}`);
  }

  /** A position, or the position that a time stands for: as a beginning the first event after it. */
  private async bound(query: Query, name: 'from' | 'to', absent: number): Promise<number> {
    const moment = parameterOf(query, name);
    if (moment === undefined) return absent;
    if (POSITION.test(moment)) return Number(moment);
    const position = await momentPosition(this.reader, moment, name);
    return name === 'from' ? position + 1 : position;
  }
}

function orderOf(query: Query): 'oldest' | 'newest' {
  const order = parameterOf(query, 'order') ?? 'oldest';
  if (order === 'oldest' || order === 'newest') return order;
  throw badRequest('query parameter order must be oldest (first) or newest (first)');
}

/** The path of the next page: of the same log, however much is appended meanwhile. */
function nextPath(query: Query, name: 'from' | 'to', next: number, position: number): string {
  const { after: _, ...rest } = query as Record<string, string>;
  const parameters = new URLSearchParams({ ...rest, at: rest['at'] ?? String(position), [name]: String(next) });
  return `/v1/events?${parameters.toString()}`;
}
