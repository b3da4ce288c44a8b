/** Every answer to a client that was let in tells a position of the log, errors included. */
import type { FastifyInstance } from 'fastify';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { POSITION_HEADER } from './answers';

/** The position of the state at hand, where no better one was set; nothing for those who were turned away. */
export function tellPosition(server: FastifyInstance, reader: ClusterStateReader): void {
  server.addHook('onSend', (_request, reply, payload, done) => {
    const isTurnedAway = reply.statusCode === 401;
    if (!isTurnedAway && !reply.hasHeader(POSITION_HEADER)) void reply.header(POSITION_HEADER, reader.position);
    done(null, payload);
  });
}
