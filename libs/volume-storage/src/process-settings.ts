/** What a process that moves bytes to and from a volume wants of Node: import this first, before anything is allocated or waits in a thread. */
import { setFlagsFromString } from 'node:v8';

/** Calls on a volume wait in threads for as long as Gluster does, and one slow host must not hold up all. */
process.env['UV_THREADPOOL_SIZE'] ??= '32';

/**
 * Collects garbage early: by default the space of new objects grows sixteen times and the heap doubles before either is
 * looked through, and the buffers of what passes through pile up meanwhile. Figures are in docs/performance.md.
 */
for (const flag of ['--semi-space-growth-factor=1', '--heap-growing-percent=30']) setFlagsFromString(flag);
