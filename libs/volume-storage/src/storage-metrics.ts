/** Metrics of what is done to files of the volume. */
import type { Metrics } from '@brickyard/service-host';
import { onFileOperation } from './file-operations';

/** Bounds of what one operation takes, seconds; a volume that has lost a server stands still for `network.ping-timeout`. */
const SECONDS = [0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 45];

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
  onFileOperation((operation) => {
    const label = operation.action.replaceAll(' ', '_');
    seconds.observe({ operation: label }, operation.tookMs / 1_000);
    if (operation.bytes > 0) bytes.inc({ operation: label }, operation.bytes);
    const code = codeOf(operation.error);
    if (code !== undefined && !EXPECTED.has(code)) errors.inc({ operation: label, code });
  });
}

function codeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const { code, cause } = error as NodeJS.ErrnoException;
  return code ?? (cause === undefined ? 'other' : codeOf(cause));
}
