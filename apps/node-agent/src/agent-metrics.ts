/** What one host tells of its work and its health. */
import type { Counter, Gauge, Histogram, Metrics } from '@brickyard/service-host';

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180];

/** The numbers an agent keeps. */
export interface AgentMetrics {
  readonly tasks: Counter<'task' | 'outcome'>;
  readonly seconds: Histogram<'task'>;
  readonly healPending: Gauge<'volume'>;
  readonly glusterdUp: Gauge;
  readonly bricksNotMounted: Gauge;
  readonly thinPoolUsed: Gauge<'pool' | 'part'>;
}

/** Makes them in the metrics of the process. */
export function agentMetrics(metrics: Metrics): AgentMetrics {
  return {
    tasks: metrics.counter({
      name: 'brickyard_tasks_total',
      help: 'Tasks done on this host, by kind and outcome',
      labels: ['task', 'outcome'],
    }),
    seconds: metrics.histogram({
      name: 'brickyard_task_seconds',
      help: 'Time a task took',
      labels: ['task'],
      buckets: SECONDS,
    }),
    healPending: metrics.gauge({
      name: 'brickyard_heal_pending',
      help: 'Files of a volume that wait to be healed, as this host sees it',
      labels: ['volume'],
    }),
    glusterdUp: metrics.gauge({ name: 'brickyard_glusterd_up', help: '1 while glusterd of this host answers' }),
    bricksNotMounted: metrics.gauge({
      name: 'brickyard_bricks_not_mounted',
      help: 'Bricks that are not served, since their file systems are not mounted',
    }),
    thinPoolUsed: metrics.gauge({
      name: 'brickyard_thin_pool_used_ratio',
      help: 'Share of a thin pool that is taken, where a brick shares it with clones or snapshots',
      labels: ['pool', 'part'],
    }),
  };
}
