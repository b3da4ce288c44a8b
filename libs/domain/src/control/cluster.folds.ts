/** What each fact about a cluster changes. */
import type { EventOf } from '@brickyard/contracts';
import { persistentMap, type Recorded } from '@brickyard/event-sourcing';
import type { ControlState } from './control.state';
import { withCluster } from './fold-tools';

export const clusterCreated = (state: ControlState, { event }: Recorded<EventOf<'ClusterCreated'>>): ControlState => ({
  ...state,
  clusters: state.clusters.set(event.clusterId, {
    clusterId: event.clusterId,
    flags: event.flags,
    nodeIds: [],
    joiningIds: [],
    ring: persistentMap(),
    volumeIds: persistentMap(),
  }),
});

export const clusterFlagsSet = (state: ControlState, { event }: Recorded<EventOf<'ClusterFlagsSet'>>): ControlState =>
  withCluster(state, event.clusterId, (cluster) => ({ ...cluster, flags: event.flags }));

export const clusterRemoved = (state: ControlState, { event }: Recorded<EventOf<'ClusterRemoved'>>): ControlState => ({
  ...state,
  clusters: state.clusters.delete(event.clusterId),
});
