/** The audit of the dependencies finds each kind of fault when it is planted. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const AUDIT = join(__dirname, '../../tools/audit.mjs');
const CHECKSUM = `sha512-${'a'.repeat(86)}==`;
const GOOD = { version: '1.2.3', license: 'MIT', integrity: CHECKSUM };

/** What it says about one package called `left`, wanted in a version. */
function problemsOf(entry: object, wanted = '1.2.3'): unknown {
  const lock = { packages: { 'node_modules/left': { ...GOOD, ...entry } } };
  const manifests = [{ path: 'package.json', manifest: { dependencies: { left: wanted } } }];
  const script = `import { problemsOf } from ${JSON.stringify(AUDIT)};
    process.stdout.write(JSON.stringify(problemsOf(${JSON.stringify(lock)}, ${JSON.stringify(manifests)}, { known: false })));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }));
}

describe('the audit of dependencies', () => {
  it('has nothing to say when all is well', () => {
    expect(problemsOf({})).toEqual([]);
    expect(problemsOf({ license: '(MIT OR GPL-3.0)' })).toEqual([]);
    expect(problemsOf({ license: 'MPL-2.0', dev: true })).toEqual([]);
    expect(problemsOf({ name: '@far/right' }, 'npm:@far/right@1.2.3')).toEqual([]);
  });

  it.each([
    ['a range', {}, '^1.2.3', 'package.json: left is ^1.2.3, which is no exact version'],
    ['another version', { version: '1.2.4' }, '1.2.3', 'package.json: left is 1.2.3, and 1.2.4 in package-lock.json'],
    ['a range of an alias', {}, 'npm:right@1', 'package.json: left is npm:right@1, which is no exact version'],
    [
      'another package than the alias says',
      { name: 'wrong' },
      'npm:right@1.2.3',
      'package.json: left is npm:right@1.2.3, and wrong 1.2.3 in package-lock.json',
    ],
    ['no checksum', { integrity: '' }, '1.2.3', 'left 1.2.3: the checksum is not SHA-512'],
    ['an old checksum', { integrity: 'sha1-aaaa' }, '1.2.3', 'left 1.2.3: the checksum is not SHA-512'],
    ['a licence', { license: 'GPL-3.0' }, '1.2.3', 'left 1.2.3: licence GPL-3.0'],
    ['one of two licences', { license: 'MIT AND GPL-3.0' }, '1.2.3', 'left 1.2.3: licence MIT AND GPL-3.0'],
    ['a licence of tools in the product', { license: 'MPL-2.0' }, '1.2.3', 'left 1.2.3: licence MPL-2.0'],
    [
      'a script',
      { hasInstallScript: true },
      '1.2.3',
      'left 1.2.3: runs a script when it is installed; decide in allowScripts of package.json',
    ],
  ])('names %s', (_, entry, wanted, problem) => {
    expect(problemsOf(entry, wanted)).toEqual([problem]);
  });
});
