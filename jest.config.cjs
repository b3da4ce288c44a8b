/** One runner for every package: sources are transformed by SWC, packages resolve to their sources. */
const swc = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: false },
    target: 'es2022',
    keepClassNames: true,
  },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

const project = (kind, extra = {}) => ({
  displayName: kind,
  rootDir: __dirname,
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/tools', '<rootDir>/test'],
  testEnvironment: 'node',
  testMatch: [`**/src/**/*.${kind}.spec.ts`],
  modulePathIgnorePatterns: ['/dist/'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^@brickyard/domain/registry$': '<rootDir>/libs/domain/src/registry/index.ts',
    '^@brickyard/event-sourcing/postgres$': '<rootDir>/libs/event-sourcing/src/postgres/index.ts',
    '^@brickyard/(contracts|event-sourcing|domain|service-host|volume-storage)$': '<rootDir>/libs/$1/src/index.ts',
    '^@brickyard/(contracts|event-sourcing|domain|service-host)/testing$': '<rootDir>/libs/$1/src/testing.ts',
    '^@brickyard/service-host/client$': '<rootDir>/libs/service-host/src/client.ts',
    '^@brickyard/(browser|hosts|stack|servers)$': '<rootDir>/tools/$1/src/index.ts',
  },
  ...extra,
});

/** Integration tests share one real Postgres and one real nats-server a run. */
const servers = {
  globalSetup: '<rootDir>/tools/servers/src/jest-setup.ts',
  globalTeardown: '<rootDir>/tools/servers/src/jest-teardown.ts',
};

/** Whole systems are made of compiled programs. */
const compiled = { globalSetup: '<rootDir>/tools/servers/src/jest-compile.ts' };

module.exports = {
  // A busy machine takes its time; specs that need more say so.
  testTimeout: 60_000,
  projects: [
    project('unit'),
    project('int', servers),
    project('e2e', compiled),
    project('systemd', compiled),
    project('compose', compiled),
  ],
};
