/** What tells whether the writer keeps up. */
import type { BatchReport } from '@brickyard/event-sourcing/postgres';
import type { Metrics } from '@brickyard/service-host';

const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const COMMIT_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];

/** Counts what each turn of the writer did. */
export function writerMetrics(metrics: Metrics): (report: BatchReport) => void {
  const commands = metrics.histogram({
    name: 'brickyard_append_batch_commands',
    help: 'Commands decided in one turn of the writer',
    buckets: BATCH_SIZES,
  });
  const commit = metrics.histogram({
    name: 'brickyard_append_commit_seconds',
    help: 'Time from sending a transaction to its commit',
    buckets: COMMIT_SECONDS,
  });
  const events = metrics.counter({ name: 'brickyard_events_appended_total', help: 'Events appended to the log' });
  return (report) => {
    commands.observe(report.commands);
    if (report.events === 0) return;
    events.inc(report.events);
    commit.observe(report.commitMs / 1_000);
  };
}
