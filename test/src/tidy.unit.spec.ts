import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClientCommand, InternalCommand } from '@brickyard/contracts';
import { sagas } from '@brickyard/domain';

const root = join(__dirname, '..', '..');

/** Sources under version control or about to be: what a reader of the repository sees. */
const sources = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '');
const textOf = (path: string): string => {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return ''; // Deleted, but not yet committed.
  }
};
const texts = sources.map((path) => ({ path, text: textOf(path) }));
const where = (pattern: RegExp, except = /^$/): string[] =>
  texts.filter(({ path, text }) => !except.test(path) && pattern.test(text)).map(({ path }) => path);

describe('the sources', () => {
  it('are found', () => {
    expect(sources.length).toBeGreaterThan(100);
  });

  it('spell subjects, streams and consumers in one place', () => {
    const subject =
      /['"`](agents\.[*$]|commands\.control|events\.[>$]|tasks\.wanted|TASKS['"`]|OUTCOMES['"`]|EVENTS['"`])/;
    expect(where(subject, /subjects\.ts$|\.spec\.ts$/)).toEqual([]);
  });

  it('mute a rule only with a reason in the same line', () => {
    expect(where(/eslint-disable(?!.* -- )|@ts-(ignore|nocheck|expect-error)(?! \S)/, /tidy\.unit\.spec\.ts$/)).toEqual(
      [],
    );
  });

  it('switch no test off, except where the machine cannot run it', () => {
    const off = /(?<!\? (it|describe) : )\b(it|describe|test)\.(skip|only|todo)\b|\bx(it|describe)\(/;
    expect(where(off, /tidy\.unit\.spec\.ts$/)).toEqual([]);
  });

  it('reach no shell', () => {
    const shell =
      /\{[^}]*\bexec(Sync)?\b[^}]*\} from 'node:child_process'|shell: true|['"](ba|da)?sh['"], ?\[?['"]-c['"]/;
    expect(where(shell, /tidy\.unit\.spec\.ts$/)).toEqual([]);
  });

  it.each([
    ['a host is a node in the domain', /\b(hostId|serverId|peerId)\b/, 'nodeId'],
    ['a disk is a device', /\bdiskId\b/, 'deviceId'],
    ['an event tells what happened, not that something changed', /'\w+Updated'/, 'a fact in the past tense'],
  ])('call things by one word: %s', (_, banned, __) => {
    expect(where(banned, /tidy\.unit\.spec\.ts$|^tools\/|\.spec\.ts$/)).toEqual([]);
  });

  it('do not mention where they were written', () => {
    expect(where(/\/work\/|\.\.\/shared/, /tidy\.unit\.spec\.ts$/)).toEqual([]);
  });
});

describe('what is said and what is done', () => {
  const specs = texts.filter(({ path }) => path.endsWith('.spec.ts') || path.endsWith('testing.ts'));
  const commands = [...ClientCommand.options, ...InternalCommand.options].map(({ shape }) => shape.type.value);

  it.each(commands)('command %s is exercised by a spec', (type) => {
    expect(specs.some(({ text }) => text.includes(`'${type}'`))).toBe(true);
  });

  it('every saga is registered', () => {
    const defined = texts
      .filter(({ path }) => path.endsWith('.sagas.ts'))
      .flatMap(({ text }) => [...text.matchAll(/Saga: .* = \{\n {2}name: '([a-z-]+)',$/gm)].map(([, name]) => name));
    expect(defined.sort()).toEqual(Object.keys(sagas).sort());
  });
});

/** One fault for each rule that holds the architecture, in one text; each must be named. */
const planted = {
  'libs/domain/src/placement/ring.ts': {
    code: [
      "import { readFileSync } from 'node:fs';",
      'export default function late(): number { return Date.now(); }',
      'export enum Colour { Red }',
      'export async function wait(): Promise<void> { await Promise.resolve(); }',
      'export function fail(): never { throw new Error(String(Math.random())); }',
      'export class Thing {}',
      'export const read = (text: string): number => (readFileSync(text) as unknown as number);',
    ],
    rules: {
      'no-restricted-syntax': [
        'Export by name',
        'union of literals',
        'synchronous',
        'does not throw',
        'functions and data',
        'casting it twice',
      ],
      'no-restricted-globals': ['deterministic'],
      'no-restricted-properties': ['Derive ids'],
    },
  },
  'apps/allocator/src/task.relay.ts': {
    code: [
      "import type { Server } from '../../api-gateway/src/http/server';",
      'export function open(server: Server | undefined, flag: string | undefined) { if (flag) Promise.resolve(server!); }',
      'export const loose = (value: any): string => value.name;',
    ],
    rules: {
      '@nx/enforce-module-boundaries': [''],
      '@typescript-eslint/no-floating-promises': [''],
      '@typescript-eslint/strict-boolean-expressions': [''],
      '@typescript-eslint/explicit-module-boundary-types': [''],
      '@typescript-eslint/no-non-null-assertion': [''],
      '@typescript-eslint/no-explicit-any': [''],
      '@typescript-eslint/no-unsafe-return': [''],
    },
  },
} as const;

interface Message {
  readonly ruleId: string | null;
  readonly message: string;
}

/** What the linter says of a text that stands in for a file. */
function lint(path: string, code: readonly string[]): readonly Message[] {
  const eslint = join(root, 'node_modules', 'eslint', 'bin', 'eslint.js');
  const argv = [eslint, '--stdin', '--stdin-filename', path, '--format', 'json'];
  try {
    execFileSync(process.execPath, argv, { cwd: root, input: `${code.join('\n')}\n`, encoding: 'utf8', stdio: 'pipe' });
    return [];
  } catch (error) {
    const output = (error as { readonly stdout: string }).stdout;
    const [report] = JSON.parse(output.slice(output.indexOf('['))) as [{ readonly messages: readonly Message[] }];
    return report.messages;
  }
}

describe.each(Object.entries(planted))('the linter, given faults in %s', (path, { code, rules }) => {
  let messages: readonly Message[] = [];
  beforeAll(() => {
    messages = lint(path, code);
  }, 60_000);

  const faults = Object.entries<readonly string[]>(rules).flatMap(([rule, texts]) =>
    texts.map((text) => ({ rule, text })),
  );

  it.each(faults)('finds $rule: $text', ({ rule, text }) => {
    expect(messages.filter(({ ruleId, message }) => ruleId === rule && message.includes(text)).length).toBeGreaterThan(
      0,
    );
  });
});
