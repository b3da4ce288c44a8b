import type { ControlState, EndedOperation } from '@brickyard/domain';
import { isOperationId } from './visible';

/** What a poll of an operation answers. */
export type QueueView =
  | { readonly kind: 'running' }
  | { readonly kind: 'result'; readonly location: string }
  | { readonly kind: 'no-result' }
  | { readonly kind: 'failed'; readonly detail: string; readonly remedy?: string }
  | { readonly kind: 'unknown' };

/** `GET /queue/{id}`. */
export function queueView(state: ControlState, id: string): QueueView {
  if (!isOperationId(id)) return { kind: 'unknown' };
  if (state.operations.has(id)) return { kind: 'running' };
  const ended = state.ended.get(id);
  if (ended === undefined) return { kind: 'unknown' };
  // heketi tells the end of a cleaning up, never how it went.
  if (ended.children?.some((child) => state.operations.has(child)) === true) return { kind: 'running' };
  return ended.result === 'undone' ? failed(ended) : resultOf(ended);
}

const failed = ({ detail, remedy }: EndedOperation): QueueView => ({
  kind: 'failed',
  detail,
  ...(remedy === undefined ? {} : { remedy }),
});

/** Only what makes or grows something leads to it; a new device's id is not told. */
function resultOf({ kind, subjectId }: EndedOperation): QueueView {
  switch (kind) {
    case 'add-node':
      return { kind: 'result', location: `/nodes/${subjectId}` };
    case 'create-volume':
    case 'expand-volume':
    case 'clone-volume':
    case 'set-block-restriction':
      return { kind: 'result', location: `/volumes/${subjectId}` };
    case 'create-block-volume':
    case 'expand-block-volume':
      return { kind: 'result', location: `/blockvolumes/${subjectId}` };
    case 'add-device':
    case 'remove-device':
    case 'remove-node':
    case 'resync-device':
    case 'delete-volume':
    case 'delete-block-volume':
    case 'clean-up':
    case 'remove-residue':
    case 'evict-brick':
    case 'evacuate-device':
    case 'evacuate-node':
    case 'restore-drift':
    case 'accept-drift':
    case 'set-node-state':
    case 'set-device-state':
      return { kind: 'no-result' };
  }
}
