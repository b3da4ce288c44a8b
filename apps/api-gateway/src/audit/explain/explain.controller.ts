/** `/v1/explain`: why a volume lies where it lies, what an operation does. */
import { OperationId, VolumeId } from '@brickyard/contracts';
import { withBricksGivenBack } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ID, routeId } from '../../heketi/route-id';
import type { Refusals } from '../../heketi/refusals';
import { idNotFound, TextError } from '../../heketi/text-error';
import { sendJson } from '../../http/answers';
import { type GatewayReply, type GatewayRequest, idOf } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { LEDGER, REFUSALS, STATE_READER } from '../../tokens';
import { endedOperationView, operationView } from '../operation.view';
import { adoptionView, cloneView, moveViews } from './move.explanation';
import { operationExplanation } from './operation.explanation';
import { refusalView } from './refusal.explanation';
import { type PlacingEvent, placementView, placingEvents, volumeHead } from './volume.explanation';

/** Events of one operation that are looked for around its steps. */
const OPERATION_EVENTS_MAX = 10_000;
/** Where an operation's first and last facts stand beside those of its steps: in the same commit. */
const SAME_COMMIT = 1_000;

/** The state a refusal was decided on may be a moment ahead of this gateway. */
const REFUSAL_WAIT_MS = 2_000;

@Controller('v1/explain')
export class ExplainController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(LEDGER) private readonly ledger: LedgerReader,
    @Inject(REFUSALS) private readonly refusals: Refusals,
  ) {}

  @Get(`volumes/${ID}`)
  async volume(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state, position } = await requestedState(this.reader, request, reply);
    const volumeId = routeId(VolumeId, request);
    const events = (await this.ledger.readStream(`volume-${volumeId}`)).filter((event) => event.position <= position);
    const placing = placingEvents(events);
    const adopted = adoptionView(events);
    const cloned = cloneView(events);
    const [first] = placing;
    if (first === undefined && adopted === undefined && cloned === undefined) throw idNotFound();
    const options = first === undefined ? [] : optionsIn(first.stored);
    const placements: object[] = [];
    for (const one of placing) placements.push(await this.placement(one, options));
    const volume = state.volumes.get(volumeId);
    const head = volume === undefined ? { id: volumeId, status: 'gone' } : volumeHead(volume, state);
    sendJson(reply, 200, {
      position,
      ...head,
      ...(adopted === undefined ? {} : { adopted }),
      ...(cloned === undefined ? {} : { cloned }),
      placements,
      moves: await moveViews(events, async (at) => (await this.reader.at(at - 1)).state),
    });
  }

  @Get(`operations/${ID}`)
  async operation(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state, position } = await requestedState(this.reader, request, reply);
    const id = routeId(OperationId, request);
    const running = state.operations.get(id);
    const ended = state.ended.get(id);
    const events = await this.eventsOf(id, running?.startedPosition ?? ended?.endedPosition, position);
    if (running === undefined && ended === undefined && events.length === 0) throw idNotFound();
    const head =
      running !== undefined ? operationView(state, running) : ended !== undefined ? endedOperationView(ended) : { id };
    sendJson(reply, 200, { position, ...operationExplanation(id, head, events, state) });
  }

  /** A refusal by the id its answer carried, decided again on the state it was refused on. */
  @Get(`refusals/${ID}`)
  async refusal(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const refusal = this.refusals.of(idOf(request));
    if (refusal === undefined) {
      throw new TextError(
        404,
        'this gateway does not remember such a refusal; make the request again to get a new one',
      );
    }
    await this.reader.waitFor(refusal.position, REFUSAL_WAIT_MS);
    const { state } = await this.reader.at(refusal.position);
    sendJson(reply, 200, refusalView(refusal, state));
  }

  private async placement(event: PlacingEvent, options: readonly string[]): Promise<object> {
    const { state } = await this.reader.at(event.stored.position - 1);
    const { type, data } = event.stored;
    // What is planned again gives up its first bricks: their room counts as free.
    const given = type === 'VolumeReplanned' ? state.volumes.get(VolumeId.parse(data['volumeId']))?.bricks : undefined;
    return placementView(event, options, withBricksGivenBack(state, given ?? []));
  }

  /** Everything an operation left in the log: its steps, and the facts of its thing around them. */
  private async eventsOf(id: string, known: number | undefined, upTo: number): Promise<readonly StoredEvent[]> {
    const steps = await this.ledger.readStream(`operation-${id}`);
    const from = steps[0]?.position ?? known;
    if (from === undefined) return [];
    const to = Math.min(upTo, Math.max(steps.at(-1)?.position ?? from, known ?? from) + SAME_COMMIT);
    const range = { to, limit: OPERATION_EVENTS_MAX, newestFirst: false };
    const filter = { field: { name: 'operationId', value: id } };
    const { events } = await this.ledger.find(filter, { ...range, from: Math.max(1, from - SAME_COMMIT) });
    return events;
  }
}

function optionsIn({ data }: StoredEvent): readonly string[] {
  const { spec } = data as { spec?: { options?: readonly string[] } };
  return spec?.options ?? [];
}
