/** `node tools/run.mjs stack/demo …`: builds one tool and runs one of its entries, such as tools/stack/src/demo.ts. */
import { begin, build, enter, installDependencies, Problem } from './bootstrap.mjs';

await begin(async () => {
  const [what = '', ...rest] = process.argv.slice(2);
  const [, tool, entry] = /^([a-z-]+)\/([a-z-]+)$/.exec(what) ?? [];
  if (tool === undefined) throw new Problem('usage: node tools/run.mjs <tool>/<entry> [options], such as stack/demo');
  process.argv.splice(2, process.argv.length, ...rest);
  await installDependencies();
  await build([`tools/${tool}`]);
  await enter(`tools/${tool}/dist/${entry}.js`);
});
