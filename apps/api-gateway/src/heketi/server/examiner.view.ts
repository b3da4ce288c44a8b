/** The state beside what the hosts say, for people who look for a difference. Pure. */
import type { NodeFacts } from '@brickyard/contracts';
import type { ControlState, Node } from '@brickyard/domain';
import type { ChapKeys } from '@brickyard/service-host';
import { dumpView } from '../db/dump.view';
import { countedOperationsOf, visibleNodesOf, volumeIdsIn } from '../visible';

type FactsOf = (host: string) => NodeFacts | undefined;

/** `GET /internal/state/examine/gluster`. */
export function examinerView(state: ControlState, factsOf: FactsOf, keys?: ChapKeys): object {
  const clusterIds = [...state.clusters.keys()].sort();
  const nodes = clusterIds.flatMap((id) => visibleNodesOf(state, id));
  return {
    heketidb: dumpView(state, keys),
    report: [
      `OnDemand Examiner invoked while ${String(countedOperationsOf(state))} ops are in flight`,
      ...nodes.flatMap((node) => (factsOf(hostOf(node)) === undefined ? [silence(node)] : [])),
      ...comparisons(state, nodes, factsOf),
    ],
    clusters: clusterIds.map((id) => ({
      ClusterHeketiID: id,
      NodesData: visibleNodesOf(state, id).map((node) => nodeData(state, node, factsOf(hostOf(node)))),
    })),
  };
}

const hostOf = ({ hostnames }: Node): string => hostnames.manage[0] ?? '';
const silence = (node: Node): string => `unable to fetch data of node ${node.nodeId}: nothing heard of ${hostOf(node)}`;

function comparisons(state: ControlState, nodes: readonly Node[], factsOf: FactsOf): readonly string[] {
  const different = nodes.filter((node) => {
    const facts = factsOf(hostOf(node));
    return facts !== undefined && !isSame(namesIn(state, node), facts.volumes.map(({ name }) => name).sort());
  });
  if (different.length === 0) return ['heketi volume list matches with volume list of all nodes'];
  return different.map(({ nodeId }) => `heketi volume list does not match with volume list of node ${nodeId}`);
}

const namesIn = (state: ControlState, { clusterId }: Node): readonly string[] =>
  volumeIdsIn(state, clusterId)
    .map((id) => state.volumes.get(id)?.spec.name ?? '')
    .sort();

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name, index) => name === other[index]);

/** What heketi reads with LVM's own commands is not asked here: how bricks are kept is the driver's business. */
function nodeData(state: ControlState, { nodeId }: Node, facts: NodeFacts | undefined): object {
  return {
    NodeHeketiID: nodeId,
    VolumeInfo: facts === undefined ? null : { Volumes: { Count: facts.volumes.length, VolumeList: facts.volumes } },
    LVMPVInfo: null,
    LVMVGInfo: null,
    LVMLVInfo: null,
    BricksMountStatus: facts === undefined ? null : { Statuses: facts.bricks },
    BlockVolumeNames: [...state.blockVolumes.values()]
      .filter(({ nodeIds }) => nodeIds.includes(nodeId))
      .map(({ name }) => name)
      .sort(),
  };
}
