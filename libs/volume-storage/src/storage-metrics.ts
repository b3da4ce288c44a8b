/** Metrics of what is done to files of the volume. */
import type { Metrics } from '@brickyard/service-host';
import { FILE_ACTIONS, type FileAction, onFileOperation } from './file-operations';

/** Bounds of what one operation takes, seconds; a volume that has lost a server stands still for `network.ping-timeout`. */
const SECONDS = [0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 45];

/** Told from the start, as an alert sees no rise of what was not there before. */
const FEARED = ['EIO', 'ENOSPC', 'ENOTCONN'];

/** What is an answer and no trouble: names that are not there, or already there. */
const EXPECTED = new Set(['ENOENT', 'EEXIST', 'ENOTEMPTY']);

/**
 * Counts file operations of this process under `<prefix>_storage_operation_duration_seconds` and
 * `<prefix>_storage_errors_total`, and their bytes under `<prefix>_storage_bytes_total`. Once for each process.
 */
export function watchFileOperations(metrics: Metrics, prefix: string): void {
  const seconds = metrics.histogram({
    name: `${prefix}_storage_operation_duration_seconds`,
    help: 'What operations on files of the volume took, by what was done.',
    labels: ['operation'],
    buckets: SECONDS,
  });
  const errors = metrics.counter({
    name: `${prefix}_storage_errors_total`,
    help: 'Operations on files of the volume that failed, by what was done and the code of the system.',
    labels: ['operation', 'code'],
  });
  const bytes = metrics.counter({
    name: `${prefix}_storage_bytes_total`,
    help: 'Bytes read from and written to files of the volume.',
    labels: ['operation'],
  });
  for (const action of FILE_ACTIONS) {
    for (const code of FEARED) errors.inc({ operation: labelOf(action), code }, 0);
  }
  onFileOperation((operation) => {
    const label = labelOf(operation.action);
    seconds.observe({ operation: label }, operation.tookMs / 1_000);
    if (operation.bytes > 0) bytes.inc({ operation: label }, operation.bytes);
    const code = codeOf(operation.error);
    if (code !== undefined && !EXPECTED.has(code)) errors.inc({ operation: label, code });
  });
}

const labelOf = (action: FileAction): string => action.replaceAll(' ', '_');

/** The code of the system, wherever in the chain of causes it is. */
function codeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const { code, cause } = error as NodeJS.ErrnoException;
  return code ?? (cause === undefined ? 'other' : codeOf(cause));
}
