import type * as PerfHooks from 'node:perf_hooks';
import { createMetrics } from './metrics';

/** The module itself, as whoever requires it has it. */
const perfHooks = jest.requireActual<typeof PerfHooks>('node:perf_hooks');

describe('createMetrics', () => {
  it('leaves the event loop alone until somebody reads', async () => {
    const watching = jest.spyOn(perfHooks, 'monitorEventLoopDelay');
    const metrics = createMetrics('allocator');
    expect(watching).not.toHaveBeenCalled();
    for (let scrape = 0; scrape < 2; scrape += 1) expect(await metrics.text()).toContain('nodejs_eventloop_lag_p99');
    expect(watching).toHaveBeenCalledTimes(1);
  });
});
