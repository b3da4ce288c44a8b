/** What dashboards of the open-source registry ask of its storage driver, told of ours. */
import type { Metrics } from '@brickyard/service-host';
import { type FileAction, onFileOperation } from '@brickyard/volume-storage';

/** The storage driver's word for what is done; other actions are parts of these, or have no name there. */
const DRIVER_ACTIONS: Partial<Record<FileAction, string>> = {
  make: 'Writer',
  open: 'Reader',
  read: 'GetContent',
  publish: 'Move',
  'look at': 'Stat',
  list: 'List',
  remove: 'Delete',
};

/** Counts what is done to files of the volume under the open-source registry's name. Once for each process. */
export function watchDriverActions(metrics: Metrics): void {
  const seconds = metrics.histogram<'driver' | 'action'>({
    name: 'registry_storage_action_seconds',
    help: 'What actions of the storage driver took, under the names of the open-source registry.',
    labels: ['driver', 'action'],
  });
  onFileOperation(({ action, tookMs }) => {
    const known = DRIVER_ACTIONS[action];
    if (known !== undefined) seconds.observe({ driver: 'gluster', action: known }, tookMs / 1_000);
  });
}
