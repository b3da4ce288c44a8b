/** `npm run conformance -- --server URL …`: builds the checklist of heketi's behaviour and runs it against a server. */
import { begin, build, enter, installDependencies } from './bootstrap.mjs';

await begin(async () => {
  await installDependencies();
  await build(['test']);
  await enter('test/dist/heketi/src/main.js');
});
