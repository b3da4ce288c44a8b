/** `npm start`: the whole system on this machine. */
import { begin, build, enter, installDependencies, installPackages, say } from './bootstrap.mjs';

const APPS = ['api-gateway', 'allocator', 'node-agent', 'registry-backend', 'object-gateway', 'cli'].map(
  (name) => `apps/${name}`,
);

await begin(async () => {
  const isSimulated = /--hosts[= ]simulated/.test(process.argv.join(' '));
  await installDependencies();
  if (!process.argv.includes('--help')) await installPackages({ hosts: !isSimulated });
  say('building');
  await build(['tools/stack', ...APPS]);
  await enter('tools/stack/dist/main.js');
});
