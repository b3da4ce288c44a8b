/** What a process that moves bytes to and from a volume wants of Node: import this first, before anything waits in a thread. */
import { setFlagsFromString } from 'node:v8';

/** Calls on a volume wait in threads for as long as Gluster does, and one slow host must not hold up all. */
process.env['UV_THREADPOOL_SIZE'] ??= '32';

// Buffers that pass through count as garbage of V8. Once it has looked for some in earnest, it lets a small heap grow by a few
// megabytes before it looks again, which then is six times a second: two seconds of CPU more for each GiB.
setFlagsFromString('--heap-growing-percent=200');
