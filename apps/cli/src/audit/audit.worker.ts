/** One thread of the audit. */
import { parentPort, workerData } from 'node:worker_threads';
import { Unavailable } from '@brickyard/event-sourcing';
import { describeError } from '@brickyard/service-host';
import type { Order, Told } from './aside';
import { walkChain } from './chain-walk';
import { walkFold } from './fold-walk';
import { walkRegistry } from './registry-walk';

const tell = (told: Told): void => parentPort?.postMessage(told);

function walk({ half, order }: Order): Promise<unknown> {
  if (half === 'chain') return walkChain(order);
  return half === 'fold' ? walkFold(order) : walkRegistry(order);
}

walk(workerData as Order).then(
  (report) => {
    tell({ report });
  },
  (error: unknown) => {
    tell({ unavailable: error instanceof Unavailable, text: describeError(error) });
  },
);
