/** Variables of the environment: whatever is documented is read by a program, and whatever a program reads is documented. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './repository';

const NAME = '(?:BRICKYARD|HEKETI|OTEL)(?:_[A-Z0-9]+)+';
const NAMED = new RegExp(`\\b${NAME}\\b`, 'g');
/** Where a program reads one: a whole string, or the field of a schema. */
const READ = new RegExp(`(?<=['"])${NAME}(?=['"])|(?<=^ +)${NAME}(?=:)`, 'gm');
/** What only specs of ours set. */
const OF_TESTS = '_TEST_';
/** Read by Node, or by the libraries of OpenTelemetry. */
const OF_OTHERS = ['NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'OTEL_SERVICE_NAME'];
const PREFIXES = ['BRICKYARD_REGISTRY', 'BRICKYARD_OBJECTS'] as const;
const text = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
/** The value of any of them may come as a file. */
const found = (content: string, form = NAMED): string[] =>
  [...content.matchAll(form)].map(([name]) => name.replace(/_FILE$/, '')).filter((name) => !name.includes(OF_TESTS));
const read = (content: string): string[] => found(content, READ);
function missingFrom(there: readonly string[], names: readonly string[]): string[] {
  const known = new Set(there);
  return [...new Set(names)].filter((name) => !known.has(name)).sort();
}

function sourcesBelow(...folders: string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => /\/src\/.*\.ts$/.test(path) && !/node_modules|\/testing\/|^(apps|libs).*\.spec\.ts$/.test(path))
    .map(text)
    .join('\n');
}

/** `…_HOST` stands for that variable of both services that store on a volume. */
function documented(markdown: string): string[] {
  const ofBoth = [...markdown.matchAll(/`…(_[A-Z_]+)`/g)].flatMap(([, rest = '']) =>
    PREFIXES.map((prefix) => prefix + rest),
  );
  return [...found(markdown), ...ofBoth];
}

const [shared = ''] = /^const own = [^]*?^}\);/m.exec(text('libs/volume-storage/src/volume-service-settings.ts')) ?? [];
const ofVolumeServices = [...shared.matchAll(/^ {2}([A-Z_]+):/gm)].flatMap(([, rest = '']) =>
  PREFIXES.map((prefix) => `${prefix}_${rest}`),
);
const docs = readdirSync(join(REPOSITORY, 'docs')).filter((name) => name.endsWith('.md'));
const inDocs = ['README.md', ...docs.map((name) => `docs/${name}`)].flatMap((path) => documented(text(path)));
const compose = text('docker-compose.yml');
const entry = text('deploy/compose/storage-host');
const inPrograms = [...read(sourcesBelow('apps', 'libs')), ...ofVolumeServices];

describe('variables of the environment', () => {
  it('are found', () => {
    expect(new Set(inPrograms).size).toBeGreaterThan(90);
    expect(inPrograms).toContain('BRICKYARD_OBJECTS_EXPAND_BY_GIB');
  });

  it('stand in the documents, each by its whole name', () => {
    expect(missingFrom(inDocs, inPrograms)).toEqual([]);
  });

  it('that the documents name are read by something', () => {
    const ofTools = found(compose + entry + text('.env') + sourcesBelow('tools', 'test', 'apps/cli'));
    expect(missingFrom([...inPrograms, ...ofTools, ...PREFIXES], inDocs)).toEqual([]);
  });

  it.each(['api-gateway', 'allocator', 'node-agent'])('of %s are all in its table, and no others', (app) => {
    const tableAfter = (line: string): string[] =>
      found(new RegExp(`^${line}\\n\\n((?:\\|.*\\n)+)`, 'm').exec(text('docs/operating.md'))?.[1] ?? '');
    const own = tableAfter(`${app}:`);
    // Those of the migration stand where it is told.
    const ofApp = read(sourcesBelow(`apps/${app}/src`)).filter((name) => !/^HEKETI|_PG_.*(OWNER|PASSWORD)/.test(name));
    expect(own.length).toBeGreaterThan(5);
    expect(missingFrom([...own, ...tableAfter('All services.*')], ofApp)).toEqual([]);
    expect(missingFrom([...ofApp, ...read(sourcesBelow('libs'))], own)).toEqual([]);
  });

  it('that docker-compose.yml and the units set are read by something', () => {
    const inCompose = [...compose.matchAll(/^ +((?:BRICKYARD|OTEL)_[A-Z0-9_]+):/gm)];
    const units = readdirSync(join(REPOSITORY, 'deploy/systemd')).filter((name) => /\.(env|service)$/.test(name));
    const inUnits = units.flatMap((name) => [
      ...text(join('deploy/systemd', name)).matchAll(/^(?:Environment=)?([A-Z0-9_]+)=/gm),
    ]);
    const set = [...inCompose, ...inUnits].map(([, name = '']) => name.replace(/_FILE$/, ''));
    expect(set.length).toBeGreaterThan(60);
    expect(missingFrom([...inPrograms, ...found(entry + sourcesBelow('apps/cli')), ...OF_OTHERS], set)).toEqual([]);
  });

  it('that docker-compose.yml takes are in .env, and no others', () => {
    const taken = [...compose.matchAll(/\$\{([A-Z0-9_]+)/g)].map(([, name = '']) => name);
    const given = [...text('.env').matchAll(/^([A-Z0-9_]+)=/gm)].map(([, name = '']) => name);
    expect(missingFrom(given, taken)).toEqual([]);
    expect(missingFrom(taken, given)).toEqual([]);
  });
});
