/** The walls of the architecture that a type checker does not see. */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one idea in two places.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain imports contracts and the ideas of event sourcing; no package, nothing of Node.',
      severity: 'error',
      from: { path: '^libs/domain/src', pathNot: '\\.spec\\.ts$|testing\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'core'], pathNot: '^libs/' },
    },
    {
      name: 'apps-stand-alone',
      comment: 'Apps meet on the bus, not in imports.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'no-deep-imports',
      comment: 'A package is entered through its index.',
      severity: 'error',
      from: { path: '^(libs|apps|tools|test)/([^/]+)/' },
      to: {
        path: '^libs/[^/]+/src/.+',
        pathNot: [
          '^libs/$2/',
          '/src/index\\.ts$',
          '/src/testing\\.ts$',
          '/src/postgres/index\\.ts$',
          '/src/registry/index\\.ts$',
          '/src/client\\.ts$',
          '/src/process-settings\\.ts$',
        ],
      },
    },
    {
      name: 'nest-at-the-edge',
      comment: 'Nest is the composition root and the skin of HTTP and the bus.',
      severity: 'error',
      from: {
        path: '^(apps|libs)/',
        pathNot:
          '(main|start-gateway|nest-logger|http/server|command-client|command-bus|\\.module|\\.controller|\\.filter|\\.guard|\\.interceptor|\\.consumer)\\.ts$|\\.spec\\.ts$',
      },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'nats-in-one-place',
      comment: 'The bus binds NATS; everything else knows the bus.',
      severity: 'error',
      from: { path: '^(libs|apps|test)/', pathNot: '^libs/service-host/src/' },
      to: { path: 'node_modules/nats/' },
    },
    {
      name: 'no-utils',
      comment: 'A file is named for what it holds.',
      severity: 'error',
      from: {},
      to: { path: '/(utils?|common|helpers?|shared|misc)(/|\\.ts$)', pathNot: 'node_modules' },
    },
    {
      name: 'no-dead-files',
      comment: 'A file that nothing reaches is not needed.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^(libs|apps|tools|test)/.+\\.ts$',
        pathNot: '(index|main|testing|\\.spec|jest-setup|jest-teardown)\\.ts$',
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/dist/|\\.d\\.ts$)' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.sources.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
