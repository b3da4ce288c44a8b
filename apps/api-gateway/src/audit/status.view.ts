/** The whole at a glance, for people. Pure. */
import type { ControlState, Node } from '@brickyard/domain';
import type { HeardAgent } from './agent-watch';

/** What is known beside the state. */
export interface StatusFacts {
  readonly position: number;
  /** How often leadership has changed; absent while Postgres does not answer. */
  readonly epoch?: number;
  /** Why the gateway's state may be old; absent when all is well. */
  readonly problem?: string;
  readonly agentOf: (host: string) => HeardAgent | undefined;
  readonly agents: readonly HeardAgent[];
}

/** `GET /v1/status`. */
export function statusView(state: ControlState, { position, epoch, problem, agentOf, agents }: StatusFacts): object {
  const nodes = [...state.nodes.values()].sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
  const known = new Set(nodes.flatMap(({ hostnames }) => hostnames.manage));
  return {
    position,
    ...(epoch === undefined ? {} : { leader: { epoch } }),
    ...(problem === undefined ? {} : { problem }),
    counts: {
      clusters: state.clusters.size,
      nodes: state.nodes.size,
      devices: state.devices.size,
      volumes: state.volumes.size,
      operations: state.operations.size,
    },
    nodes: nodes.map((node) => nodeStatus(node, agentOf(node.hostnames.manage[0] ?? ''))),
    // Hosts that could be added.
    unregistered: agents
      .filter(({ heartbeat }) => !known.has(heartbeat.host))
      .map((agent) => ({ name: agent.heartbeat.host, ...agentStatus(agent) })),
  };
}

function nodeStatus(node: Node, heard: HeardAgent | undefined): object {
  return {
    id: node.nodeId,
    host: node.hostnames.manage[0] ?? '',
    cluster: node.clusterId,
    state: node.state,
    lifecycle: node.lifecycle,
    lost: node.lostSince !== undefined,
    ...(node.lostSince === undefined ? {} : { lostSince: node.lostSince }),
    residue: node.residue.length,
    agent: agentStatus(heard),
  };
}

/** A simulated host is called so wherever a host is shown. */
function agentStatus(heard: HeardAgent | undefined): object {
  if (heard === undefined) return { heard: false };
  const { simulated, glusterd, incarnation } = heard.heartbeat;
  const host = simulated ? 'simulated' : 'real';
  return { heard: true, alive: heard.isAlive, host, glusterd, incarnation, heardAt: heard.heardAt };
}
