import type { Logger } from '@brickyard/service-host';
import { describeError } from '@brickyard/service-host';
import { OperationId } from '@brickyard/contracts';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ID, routeId } from '../heketi/route-id';
import { idNotFound, TextError } from '../heketi/text-error';
import { sendJson } from '../http/answers';
import { type GatewayReply, type GatewayRequest, idOf } from '../http/gateway-request';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState } from '../state/requested-state';
import { AGENTS, LEDGER, LOG, STATE_READER } from '../tokens';
import type { AgentWatch } from './agent-watch';
import { entryOf } from './events/event-entry';
import { numberOf, type Query } from './events/event-query';
import { aboutBrick, type HistoryEntry, readHistory } from './history';
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

  @Get(`history/blockvolumes/${ID}`)
  blockVolume(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('blockvolume', request, reply);
  }

  @Get(`history/operations/${ID}`)
  operation(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    return this.history('operation', request, reply);
  }

  /** A brick has no stream of its own: its life is part of its volume's. */
  @Get(`history/bricks/${ID}`)
  async brick(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { position } = await requestedState(this.reader, request, reply);
    const brickId = idOf(request);
    const volume = await this.volumeOfBrick(brickId, position);
    if (volume === undefined) throw idNotFound();
    const whole = await readHistory(this.ledger, volume, { upTo: position, limit: Number.MAX_SAFE_INTEGER });
    this.send(reply, aboutBrick(whole, brickId).slice(-limitOf(request)));
  }

  /** What somebody did, the latest last; further back by the path of the next page. */
  @Get('history/actors/:name')
  async actor(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { position } = await requestedState(this.reader, request, reply);
    const { name: actor } = request.params as { readonly name: string };
    const range = { from: 1, to: position, limit: limitOf(request), newestFirst: true };
    const { events, next } = await this.ledger.find({ actor }, range);
    if (events.length === 0 && next === undefined) {
      throw new TextError(404, `nothing in the log was done by '${actor.slice(0, 100)}'`);
    }
    const older = new URLSearchParams({ actor, order: 'newest', to: String(next), at: String(position) });
    const more = next === undefined ? {} : { next: `/v1/events?${older.toString()}` };
    sendJson(reply, 200, { events: events.map(entryOf).reverse(), ...more });
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
      agents: this.agents.all(),
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
    this.send(reply, await readHistory(this.ledger, `${kind}-${idOf(request)}`, range));
  }

  private send(reply: GatewayReply, events: readonly HistoryEntry[]): void {
    if (events.length === 0) throw idNotFound();
    sendJson(reply, 200, { events });
  }

  /** The stream of the volume that a brick belongs or belonged to: the first event that names it. */
  private async volumeOfBrick(brickId: string, upTo: number): Promise<string | undefined> {
    if (!/^[0-9a-f]{32}$/.test(brickId)) return undefined;
    let from: number | undefined = 1;
    while (from !== undefined) {
      const range = { from, to: upTo, limit: 1, newestFirst: false };
      const { events, next } = await this.ledger.find({ types: PLACING, mentions: brickId }, range);
      if (events[0] !== undefined) return events[0].streamId;
      from = next;
    }
    return undefined;
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

/** Events that give bricks to a volume. */
const PLACING = [
  'VolumePlanned',
  'VolumeReplanned',
  'VolumeExpansionPlanned',
  'BrickMovePlanned',
  'BrickEvictionPlanned',
  'VolumeAdopted',
];

const limitOf = (request: GatewayRequest): number =>
  numberOf(request.query as Query, 'limit', LIMIT_DEFAULT, LIMIT_MAX);
