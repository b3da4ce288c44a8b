/** One thread of the audit. */
import { parentPort, workerData } from 'node:worker_threads';
import { Unavailable } from '@brickyard/event-sourcing';
import { describeError } from '@brickyard/service-host';
import type { Order, Told } from './aside';
import { walkChain } from './chain-walk';
import { walkFold } from './fold-walk';

const order = workerData as Order;
const tell = (told: Told): void => parentPort?.postMessage(told);
const work = order.half === 'chain' ? walkChain(order.order) : walkFold(order.order);

work.then(
  (report) => {
    tell({ report });
  },
  (error: unknown) => {
    tell({ unavailable: error instanceof Unavailable, text: describeError(error) });
  },
);
