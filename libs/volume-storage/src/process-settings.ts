/** What a process that moves bytes to and from a volume wants of Node: import this first, before anything waits in a thread. */

/** Calls on a volume wait in threads for as long as Gluster does, and one slow host must not hold up all. */
process.env['UV_THREADPOOL_SIZE'] ??= '32';
