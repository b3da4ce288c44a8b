import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkEvent, controlEventSchemas, currentVersionOf, isControlEventType, streamOf, upcast } from './events';
import {
  checkRegistryEvent,
  currentRegistryVersionOf,
  isRegistryEventType,
  registryEventSchemas,
  registryStreamOf,
  upcastRegistryEvent,
} from './registry/registry.events';
import { publishedSchemas } from './wire';

const golden = join(__dirname, '..', 'golden');
const fixtures = join(__dirname, '..', 'fixtures', 'events');
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

describe('published schemas', () => {
  it.each([...publishedSchemas()])('%s is as it was published', (name, schema) => {
    const path = join(golden, name);
    // `npm run golden` writes a new version, and a version that only accepts more; it refuses any other change.
    expect(existsSync(path) ? 'published' : 'not published: run `npm run golden`').toBe('published');
    expect(JSON.parse(JSON.stringify(schema))).toEqual(readJson(path));
  });

  it('keep every version that was ever published', () => {
    const kept = [...publishedSchemas().keys()].sort();
    const files = ['events', 'registry-events', 'wire'].flatMap((folder) =>
      readdirSync(join(golden, folder)).map((name) => `${folder}/${name}`),
    );
    expect(files.sort()).toEqual(kept);
  });
});

describe('stored events', () => {
  const versions = Object.entries(controlEventSchemas).flatMap(([type, schemas]) =>
    schemas.map((_, index) => `${type}.v${String(index + 1)}.json`),
  );

  it('have a fixture for each version', () => {
    expect(readdirSync(fixtures).sort()).toEqual(versions.sort());
  });

  it.each(versions)('%s loads as today’s version and belongs to a stream', (name) => {
    const [type = '', version = ''] = name.split('.v');
    if (!isControlEventType(type)) throw new Error(`${type} is no event type`);
    const data = z.record(z.string(), z.unknown()).parse(readJson(join(fixtures, name)));
    const event = upcast(type, Number.parseInt(version, 10), data);
    expect(event.version).toBe(currentVersionOf(type));
    expect(() => {
      checkEvent(event);
    }).not.toThrow();
    expect(streamOf(event)).toMatch(/^(cluster|node|device|volume|blockvolume|operation|system)-[0-9a-f]{32}$/);
  });

  it('are refused when a field is missing, wrong or unknown', () => {
    const refusal = (data: Record<string, unknown>) => () => {
      checkEvent(upcast('NodeReturned', 1, data));
    };
    expect(refusal({ nodeId: 'a'.repeat(32) })).not.toThrow();
    expect(refusal({ nodeId: 'A' })).toThrow(/nodeId/);
    expect(refusal({})).toThrow(/nodeId/);
    expect(refusal({ nodeId: 'a'.repeat(32), more: 1 })).toThrow(/more/);
  });
});

describe('stored events of the registry', () => {
  const folder = join(__dirname, '..', 'fixtures', 'registry-events');
  const versions = Object.entries(registryEventSchemas).flatMap(([type, schemas]) =>
    schemas.map((_, index) => `${type}.v${String(index + 1)}.json`),
  );

  it('have a fixture for each version', () => {
    expect(readdirSync(folder).sort()).toEqual(versions.sort());
  });

  it.each(versions)('%s loads as today’s version and belongs to a stream', (name) => {
    const [type = '', version = ''] = name.split('.v');
    if (!isRegistryEventType(type)) throw new Error(`${type} is no event type`);
    const data = z.record(z.string(), z.unknown()).parse(readJson(join(folder, name)));
    const event = upcastRegistryEvent(type, Number.parseInt(version, 10), data);
    expect(event.version).toBe(currentRegistryVersionOf(type));
    expect(() => {
      checkRegistryEvent(event);
    }).not.toThrow();
    expect(registryStreamOf(event)).toMatch(/^(repository-team\/app|blob-sha256:a{64}|upload-[0-9a-f-]{36}|registry)$/);
  });

  it('are refused when a name is not one', () => {
    const named = (repository: string) => () => {
      checkRegistryEvent(
        upcastRegistryEvent('BlobUnlinked', 1, { repository, digest: `sha256:${'a'.repeat(64)}`, cause: 'request' }),
      );
    };
    expect(named('a/b')).not.toThrow();
    expect(named('../b')).toThrow(/repository/);
  });
});
