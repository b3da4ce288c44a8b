import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';

/** What no source of ours may contain, whatever the package. */
const bannedEverywhere = [
  { selector: 'TSEnumDeclaration', message: 'Use a union of literals: it needs no code at run time.' },
  { selector: 'ExportDefaultDeclaration', message: 'Export by name, so that a thing is called the same everywhere.' },
  { selector: 'TSAsExpression > TSAsExpression', message: 'Parse the value instead of casting it twice.' },
];

/** What a pure decision may not touch. */
const bannedInDomain = [
  { selector: 'ThrowStatement', message: 'A decision answers; it does not throw.' },
  { selector: 'ClassDeclaration', message: 'The domain is functions and data.' },
  { selector: ':function[async=true]', message: 'A decision is synchronous.' },
];

const impureGlobals = ['Date', 'process', 'console', 'fetch', 'setTimeout', 'setInterval', 'setImmediate'].map(
  (name) => ({
    name,
    message: 'The domain is deterministic: time, chance and the world are inputs.',
  }),
);

const layers = [
  { sourceTag: 'type:contracts', onlyDependOnLibsWithTags: [] },
  {
    sourceTag: 'type:domain',
    onlyDependOnLibsWithTags: ['type:contracts', 'scope:event-sourcing'],
    allowedExternalImports: ['fast-check'],
  },
  { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:contracts', 'type:lib', 'scope:servers', 'scope:hosts'] },
  {
    sourceTag: 'type:app',
    onlyDependOnLibsWithTags: ['type:contracts', 'type:domain', 'type:lib', 'scope:servers', 'scope:hosts'],
  },
  { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:contracts', 'type:domain', 'type:lib', 'type:tool'] },
];

/**
 * Where everything is linted (`eslint .`), one program for all that runs on Node, so that what packages share is checked
 * once, and one for the console, which runs in a browser. A file or two, as an editor asks for them, need their package only.
 */
const program = process.argv.includes('.')
  ? { project: ['tsconfig.sources.json', 'apps/console/tsconfig.json'] }
  : { projectService: true };

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '.brickyard/**'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked, prettier],
    plugins: { '@nx': nx, jsdoc },
    languageOptions: { parserOptions: { ...program, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/strict-boolean-expressions': ['error', { allowNullableBoolean: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@nx/enforce-module-boundaries': [
        'error',
        { depConstraints: layers, enforceBuildableLibDependency: false, allow: [] },
      ],
      'no-restricted-syntax': ['error', ...bannedEverywhere],
      // Nest types its options as classes and takes plain objects for them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      complexity: ['warn', 8],
      'max-depth': ['warn', 3],
      'max-lines-per-function': ['warn', { max: 40, skipBlankLines: true, skipComments: true }],
      'max-lines': ['warn', { max: 250, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', 'libs/domain/src/**/*-commands.ts', 'libs/domain/src/**/*.folds.ts'],
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        { publicOnly: true, require: { FunctionDeclaration: true, ClassDeclaration: true } },
      ],
    },
  },
  {
    files: ['libs/domain/src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...bannedEverywhere, ...bannedInDomain],
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Derive ids and seeds from their owner.' },
      ],
    },
  },
  {
    files: ['**/*.spec.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
