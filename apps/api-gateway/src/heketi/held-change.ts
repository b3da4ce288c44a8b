/** A change whose client prefers to wait is answered with its end, as the queue would tell it; heketi's clients never say so. */
import type { FastifyInstance } from 'fastify';
import { POSITION_HEADER, REMEDY_HEADER, remedyHeader } from '../http/answers';
import type { GatewayReply } from '../http/gateway-request';
import { secondsPreferred, waited } from '../http/preference';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { queueView, type QueueView } from './queue.view';

const QUEUE = '/queue/';

/** Holds every 202 that leads to the queue until its operation is over or the time is; then it stays what it is. */
export function holdChanges(server: FastifyInstance, reader: ClusterStateReader): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    const seconds = reply.statusCode === 202 ? secondsPreferred(request) : 0;
    const id = seconds === 0 ? undefined : operationIn(reply);
    if (id === undefined) {
      done(null, payload);
      return;
    }
    endOf(id, seconds, reader).then(
      (view) => {
        if (view !== undefined) void reply.header(POSITION_HEADER, reader.position);
        waited(reply, seconds);
        done(null, view === undefined ? payload : told(view, reply));
      },
      () => {
        done(null, payload); // There is no state to wait with; where to look later is known all the same.
      },
    );
  });
}

type End = Exclude<QueueView, { kind: 'running' | 'unknown' }>;

function operationIn(reply: GatewayReply): string | undefined {
  const location = reply.getHeader('location');
  return typeof location === 'string' && location.startsWith(QUEUE) ? location.slice(QUEUE.length) : undefined;
}

/** What was acknowledged a moment ago may not be in the state yet: then it is unknown. */
async function endOf(id: string, seconds: number, reader: ClusterStateReader): Promise<End | undefined> {
  let end: End | undefined;
  await reader.until((state) => {
    const view = queueView(state, id);
    end = view.kind === 'running' || view.kind === 'unknown' ? undefined : view;
    return end !== undefined;
  }, seconds * 1_000);
  return end;
}

function told(end: End, reply: GatewayReply): string | null {
  void reply.removeHeader('location').removeHeader('content-type');
  switch (end.kind) {
    case 'result':
      void reply.code(303).header('location', end.location);
      return null;
    case 'no-result':
      void reply.code(204);
      return null;
    case 'failed':
      void reply.code(500).header('content-type', 'text/plain; charset=utf-8');
      void reply.header('x-content-type-options', 'nosniff');
      if (end.remedy !== undefined) void reply.header(REMEDY_HEADER, remedyHeader(end.remedy));
      return `${end.detail}\n`;
  }
}
