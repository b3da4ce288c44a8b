/** Loaded into a service before its own code: profiles its CPU and writes what it found when the service ends. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, dirname, join } from 'node:path';

const folder = process.env['BENCH_PROFILES'];
if (folder !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.once('exit', () => {
    session.post('Profiler.stop', (_, { profile }) => {
      // …/apps/<name>/dist/main.js
      const name = basename(dirname(dirname(process.argv[1] ?? '')));
      writeFileSync(join(folder, `${name}-${String(process.pid)}.cpuprofile`), JSON.stringify(profile));
    });
  });
}
