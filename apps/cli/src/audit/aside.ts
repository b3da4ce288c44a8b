/** The halves of the audit, each in a thread of its own, so that both cores work. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Unavailable } from '@brickyard/event-sourcing';
import { walkChain, type ChainWalkOrder, type ChainWalkReport } from './chain-walk';
import { walkFold, type FoldWalkOrder, type FoldWalkReport } from './fold-walk';
import { walkRegistry, type RegistryWalkOrder, type RegistryWalkReport } from './registry-walk';

/** What a thread is told. */
export type Order =
  | { readonly half: 'chain'; readonly order: ChainWalkOrder }
  | { readonly half: 'fold'; readonly order: FoldWalkOrder }
  | { readonly half: 'registry'; readonly order: RegistryWalkOrder };

/** What a thread tells. */
export type Told = { readonly report: unknown } | { readonly unavailable: boolean; readonly text: string };

/** A fold leaves much behind that is soon forgotten: with the usual 16 MiB a third of its time goes into collecting it. */
const YOUNG_GENERATION_MB = 192;

export const walkChainAside = (order: ChainWalkOrder): Promise<ChainWalkReport> =>
  aside({ half: 'chain', order }, () => walkChain(order));

export const walkFoldAside = (order: FoldWalkOrder): Promise<FoldWalkReport> =>
  aside({ half: 'fold', order }, () => walkFold(order));

export const walkRegistryAside = (order: RegistryWalkOrder): Promise<RegistryWalkReport> =>
  aside({ half: 'registry', order }, () => walkRegistry(order));

/** Runs in this thread where the program is not compiled, as in its specs: a thread cannot load its sources. */
function aside<Report>(order: Order, here: () => Promise<Report>): Promise<Report> {
  if (!__filename.endsWith('.js')) return here();
  return new Promise((resolve, reject) => {
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    const worker = new Worker(join(__dirname, 'audit.worker.js'), { workerData: order, resourceLimits });
    worker.once('message', (told: Told) => {
      if ('report' in told) resolve(told.report as Report);
      else reject(told.unavailable ? new Unavailable(told.text) : new Error(told.text));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(new Error(`the thread of the ${order.half} ended with ${String(code)} before it told anything`));
    });
  });
}
