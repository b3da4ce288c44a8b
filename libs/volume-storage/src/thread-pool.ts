/** Import this first: calls on a volume wait in threads for as long as Gluster does, and one slow host must not hold up all. */
process.env['UV_THREADPOOL_SIZE'] ??= '32';
