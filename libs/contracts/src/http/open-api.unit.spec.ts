import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiRoutes } from './api-routes';
import { openApiDocument } from './open-api';

const document = openApiDocument();

describe('the description of the API', () => {
  it('is the one checked in: `npm run api` writes it', () => {
    const file = join(__dirname, '..', '..', '..', '..', 'docs', 'openapi.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('names each route once', () => {
    const names = apiRoutes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('tells what is read, with its types, and that nothing else is refused', () => {
    const schema = document.paths['/volumes']?.['post']?.requestBody?.content['application/json'].schema;
    expect(schema).toMatchObject({
      type: 'object',
      properties: { size: { type: 'integer' }, name: { type: 'string' }, block: { type: 'boolean' } },
    });
    expect(schema).not.toHaveProperty('additionalProperties');
    expect(schema?.['required'] ?? []).toEqual([]);
  });

  it('asks for a token wherever one is needed, and nowhere else', () => {
    const open = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).some(({ security }) => security?.length === 0) ? [path] : [],
    );
    expect(open.sort()).toEqual(['/docs', '/hello', '/metrics', '/openapi.json']);
  });
});
