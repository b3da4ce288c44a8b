/** Writes the API's description, docs/openapi.json, from the schemas. A spec fails while the file is not what this writes. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { openApiDocument } = require('@brickyard/contracts');

writeFileSync(
  join(import.meta.dirname, '..', 'docs', 'openapi.json'),
  `${JSON.stringify(openApiDocument(), null, 2)}\n`,
);
