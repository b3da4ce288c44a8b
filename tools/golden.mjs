/**
 * Writes the JSON Schemas of versions that have no file yet. A published file is written again only when its schema
 * accepts more than before (another member of a union, another optional field); what would refuse stored data needs a
 * new version.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { narrowings, publishedSchemas } = require('@brickyard/contracts');
const folder = join(import.meta.dirname, '..', 'libs', 'contracts', 'golden');

for (const [name, schema] of publishedSchemas()) {
  const path = join(folder, name);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (before === text) continue;
  const refused = before === undefined ? [] : narrowings(JSON.parse(before), JSON.parse(text));
  if (refused.length > 0) {
    process.exitCode = 1;
    process.stderr.write(`${name} needs a new version, since it would refuse what it accepted:\n`);
    for (const each of refused) process.stderr.write(`  ${each}\n`);
    continue;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  process.stdout.write(`${before === undefined ? 'wrote' : 'widened'} ${name}\n`);
}
