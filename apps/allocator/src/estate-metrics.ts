/** What the leader knows of the whole estate, told to whoever scrapes; read from the fold at that moment and kept nowhere. */
import type { ControlState } from '@brickyard/domain';
import type { Metrics } from '@brickyard/service-host';

const KIB = 1024;

/** What the leader holds; absent on a standby. */
export interface Leading {
  readonly state: ControlState;
  readonly position: number;
  readonly waiting: number;
}

/** The metrics with those of the estate among them, as of each scrape. */
export function estateMetrics(
  metrics: Metrics,
  leading: () => Leading | undefined,
  positionNow: () => number,
  now: () => number = Date.now,
): Pick<Metrics, 'text' | 'contentType'> {
  const leads = metrics.gauge({ name: 'brickyard_leader', help: '1 on the allocator that leads' });
  const position = metrics.gauge({
    name: 'brickyard_log_position',
    help: 'Last position of the log that is known here',
  });
  const waiting = metrics.gauge({ name: 'brickyard_writer_waiting', help: 'Commands waiting to be decided' });
  const capacity = metrics.gauge({
    name: 'brickyard_zone_capacity_bytes',
    help: 'Size of the devices of a zone, and what of it is promised to bricks',
    labels: ['cluster', 'zone', 'kind'],
  });
  const operations = metrics.gauge({
    name: 'brickyard_operations',
    help: 'Operations that are not over: at work, waiting to try again, or being undone',
    labels: ['kind', 'state'],
  });
  const oldest = metrics.gauge({
    name: 'brickyard_operation_oldest_seconds',
    help: 'Age of the oldest operation that is not over',
  });
  const nodes = metrics.gauge({ name: 'brickyard_nodes', help: 'Nodes by how they are', labels: ['state'] });
  const residue = metrics.gauge({
    name: 'brickyard_residue',
    help: 'Things that abandoned operations may have left on nodes',
  });
  const volumes = metrics.gauge({ name: 'brickyard_volumes', help: 'Volumes, those being made included' });

  const look = ({ state, waiting: queued }: Leading): void => {
    waiting.set(queued);
    volumes.set(state.volumes.size);
    let left = 0;
    for (const how of ['online', 'offline', 'failed', 'lost']) nodes.set({ state: how }, 0);
    for (const node of state.nodes.values()) {
      nodes.inc({ state: node.lostSince === undefined ? node.state : 'lost' });
      left += node.residue.length;
    }
    residue.set(left);
    capacity.reset();
    for (const device of state.devices.values()) {
      const zone = String(state.nodes.get(device.nodeId)?.zone ?? 0);
      const labels = { cluster: device.clusterId, zone };
      capacity.inc({ ...labels, kind: 'total' }, device.totalKib * KIB);
      capacity.inc({ ...labels, kind: 'used' }, device.usedKib * KIB);
    }
    operations.reset();
    let first = now();
    for (const { plan, startedAt, retry, current } of state.operations.values()) {
      const how = retry !== undefined ? 'waiting' : current?.direction === 'undo' ? 'undoing' : 'running';
      operations.inc({ kind: plan.kind, state: how });
      first = Math.min(first, Date.parse(startedAt));
    }
    oldest.set((now() - first) / 1_000);
  };

  const text = (): Promise<string> => {
    const at = leading();
    leads.set(at === undefined ? 0 : 1);
    position.set(positionNow());
    if (at !== undefined) look(at);
    return metrics.text();
  };
  return { text, contentType: metrics.contentType };
}
