/** How a log that was put back stands. Pure. */
import type { HostName } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';

/** The hosts that a log which was put back is compared with. */
export const hostsOf = ({ nodes }: ControlState): HostName[] =>
  [...nodes.values()]
    .filter(({ lifecycle }) => lifecycle === 'ready')
    .flatMap(({ hostnames }) => hostnames.manage.slice(0, 1));

/** `GET /v1/restore`. */
export function restoreView(state: ControlState, isHeard: (host: string) => boolean): object {
  const { hold, drift, nodes } = state;
  const told = [...nodes.values()]
    .filter(({ lifecycle }) => lifecycle === 'ready')
    .map(({ nodeId, hostnames }) => ({ id: nodeId, host: hostnames.manage[0] ?? '' }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  return {
    held: hold !== undefined,
    ...(hold === undefined
      ? {}
      : { since: hold.since, source: hold.source, restoredUpTo: hold.restoredUpTo, confirmed: hold.confirmed }),
    differences: drift.size,
    nodes: told.map((node) => ({ ...node, heard: isHeard(node.host) })),
  };
}
