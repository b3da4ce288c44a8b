/** Who may do what: the question every request is asked first. */
import type { Actor, RepositoryName } from '@brickyard/contracts';
import type { Exchange } from '../http/exchange';
import type { Route } from '../http/route';

export type Action = 'pull' | 'push' | 'delete' | '*';

/** A right on one thing, as the token protocol names it. */
export interface Access {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly Action[];
}

/** What a request was let in with. */
export interface Grant {
  readonly actor: Actor;
  readonly mayPull: (name: RepositoryName) => boolean;
}

/** Throws what the client must be told when it may not. */
export interface Guard {
  admit(exchange: Exchange, wanted: Access | undefined): Grant | Promise<Grant>;
}

/** What a request needs; undefined for the version check alone. */
export function accessFor(route: Route, method: string): Access | undefined {
  if (route.kind === 'catalog') return { type: 'registry', name: 'catalog', actions: ['*'] };
  if (!('name' in route) || route.kind === 'bad-name') return undefined;
  return { type: 'repository', name: route.name, actions: actionsFor(route, method) };
}

function actionsFor(route: Route, method: string): readonly Action[] {
  if (route.kind === 'uploads' || route.kind === 'upload') return ['pull', 'push'];
  if (method === 'DELETE') return ['delete'];
  return method === 'GET' || method === 'HEAD' ? ['pull'] : ['pull', 'push'];
}

/** Everybody may do everything: for a registry that only its host can reach, or behind something that asks. */
export const openGuard: Guard = {
  admit: ({ request }) => ({
    actor: { name: 'anonymous', address: request.socket.remoteAddress ?? '' },
    mayPull: () => true,
  }),
};
