/** Writes the JSON Schemas of versions that have no file yet. A published file is never overwritten. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { publishedSchemas } = require('@brickyard/contracts');
const folder = join(import.meta.dirname, '..', 'libs', 'contracts', 'golden');

for (const [name, schema] of publishedSchemas()) {
  const path = join(folder, name);
  if (existsSync(path)) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(schema, null, 2)}\n`);
  process.stdout.write(`wrote ${name}\n`);
}
