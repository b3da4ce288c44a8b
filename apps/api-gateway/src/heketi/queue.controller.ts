import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { REMEDY_HEADER, remedyHeader, sendEmpty, sendRedirect } from '../http/answers';
import { type GatewayReply, type GatewayRequest, idOf } from '../http/gateway-request';
import { secondsPreferred, waited } from '../http/preference';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { requestedState, type RequestedState } from '../state/requested-state';
import { STATE_READER } from '../tokens';
import { queueView, type QueueView } from './queue.view';
import { ID } from './route-id';
import { idNotFound, TextError } from './text-error';

/** Older deliveries are forgotten: their operations then may be told twice, which no client minds. */
const DELIVERED_MAX = 20_000;

/** `/queue/{id}`: how an operation goes. Its end is told once by each gateway. */
@Controller('queue')
export class QueueController {
  private readonly delivered = new Set<string>();

  constructor(@Inject(STATE_READER) private readonly reader: ClusterStateReader) {}

  @Get(ID)
  async poll(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const id = idOf(request);
    const { state, isPast, isComplete } = await this.newsOf(id, request, reply);
    if (!isPast && this.delivered.has(id)) throw idNotFound();
    const view = queueView(state, id);
    // What this gateway acknowledged and does not see yet is there all the same: 404 would end the client's wait.
    if (view.kind === 'running' || (view.kind === 'unknown' && !isPast && !isComplete)) {
      void reply.header('x-pending', 'true');
      sendEmpty(reply, 200);
      return;
    }
    // Who went away while the answer was held has not been told.
    if (!isPast && view.kind !== 'unknown' && !request.raw.socket.destroyed) this.remember(id);
    end(view, reply);
  }

  /** The state, at once; or for who prefers to wait (RFC 7240) when the operation is over. heketi's clients never say so. */
  private async newsOf(id: string, request: GatewayRequest, reply: GatewayReply): Promise<RequestedState> {
    const now = await requestedState(this.reader, request, reply);
    const seconds = secondsPreferred(request);
    if (seconds === 0 || now.isPast || queueView(now.state, id).kind !== 'running') return now;
    await this.reader.until((state) => queueView(state, id).kind !== 'running', seconds * 1_000);
    waited(reply, seconds);
    return requestedState(this.reader, request, reply);
  }

  private remember(id: string): void {
    this.delivered.add(id);
    if (this.delivered.size <= DELIVERED_MAX) return;
    for (const oldest of this.delivered) {
      this.delivered.delete(oldest);
      return;
    }
  }
}

function end(view: Exclude<QueueView, { kind: 'running' }>, reply: GatewayReply): void {
  switch (view.kind) {
    case 'result':
      sendRedirect(reply, 303, view.location, true);
      return;
    case 'no-result':
      sendEmpty(reply, 204);
      return;
    case 'failed':
      throw new TextError(
        500,
        view.detail,
        view.remedy === undefined ? {} : { [REMEDY_HEADER]: remedyHeader(view.remedy) },
      );
    case 'unknown':
      throw idNotFound();
  }
}
