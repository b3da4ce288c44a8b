/** Go's text templates, carried out on plain data. */
import { UsageError } from '../exit-codes';
import { KIB_PER_GIB } from '../sizes';
import { type BranchPiece, type Command, type Operand, parseTemplate, type Piece, type Pipeline } from './parse';

const bad = (problem: string): UsageError => new UsageError(`template: ${problem}`);

/** What a variable stands for, innermost first. */
interface Scope {
  readonly dot: unknown;
  readonly names: Map<string, unknown>;
  readonly outer?: Scope;
}

/** The text that a template makes of data. */
export function fillTemplate(source: string, data: unknown): string {
  const root: Scope = { dot: data, names: new Map([['$', data]]) };
  return textOf(parseTemplate(source), root);
}

const textOf = (pieces: readonly Piece[], scope: Scope): string =>
  pieces.map((piece) => pieceText(piece, scope)).join('');

function pieceText(piece: Piece, scope: Scope): string {
  switch (piece.kind) {
    case 'text':
      return piece.text;
    case 'put': {
      const value = valueOf(piece.pipeline, scope);
      return piece.pipeline.names.length > 0 ? '' : shown(value);
    }
    case 'range':
      return rangeText(piece, scope);
    case 'if':
    case 'with':
      return choiceText(piece, innerOf(scope, scope.dot));
  }
}

function choiceText({ kind, pipeline, body, otherwise }: BranchPiece, scope: Scope): string {
  const value = valueOf(pipeline, scope);
  if (!isTrue(value)) return textOf(otherwise, scope);
  return textOf(body, kind === 'with' ? innerOf(scope, value) : scope);
}

const innerOf = (outer: Scope, dot: unknown): Scope => ({ dot, names: new Map(), outer });

function rangeText({ pipeline, body, otherwise }: BranchPiece, scope: Scope): string {
  const { names, commands } = pipeline;
  const entries = entriesOf(valueOf({ names: [], commands }, scope));
  if (entries.length === 0) return textOf(otherwise, innerOf(scope, scope.dot));
  return entries
    .map(([key, value]) => {
      const inner = innerOf(scope, value);
      const values = names.length === 1 ? [value] : [key, value];
      names.forEach((name, index) => inner.names.set(name, values[index]));
      return textOf(body, inner);
    })
    .join('');
}

function entriesOf(value: unknown): (readonly [string | number, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((each: unknown, index) => [index, each] as const);
  if (value instanceof Map) {
    return [...(value as ReadonlyMap<string, unknown>)].sort(([one], [other]) => (one < other ? -1 : 1));
  }
  throw bad(`range cannot go over ${shown(value)}`);
}

function valueOf({ names, commands }: Pipeline, scope: Scope): unknown {
  const [first, ...others] = commands;
  let value = commandValue(first ?? [], scope, []);
  for (const command of others) value = commandValue(command, scope, [value]);
  const [name] = names;
  if (name !== undefined) (holderOf(name, scope) ?? scope).names.set(name, value);
  return value;
}

function holderOf(name: string, scope: Scope | undefined): Scope | undefined {
  if (scope === undefined) return undefined;
  return scope.names.has(name) ? scope : holderOf(name, scope.outer);
}

/** A function gets the value of the command before it as its last argument. */
function commandValue([head, ...more]: Command, scope: Scope, piped: readonly unknown[]): unknown {
  if (head === undefined) throw bad('a value is missing');
  if (head.kind === 'call') {
    const work = FUNCTIONS.get(head.name);
    if (work === undefined) throw bad(`function "${head.name}" not defined`);
    return work(...more.map((operand) => operandValue(operand, scope)), ...piped);
  }
  if (more.length > 0 || piped.length > 0) throw bad('a value that is no function was given arguments');
  return operandValue(head, scope);
}

function operandValue(operand: Operand, scope: Scope): unknown {
  if (operand.kind === 'literal') return operand.value;
  if (operand.kind === 'call') return commandValue([operand], scope, []);
  const { from, fields } = operand;
  return fields.reduce<unknown>(fieldOf, typeof from === 'string' ? named(from, scope) : valueOf(from, scope));
}

function named(name: string, scope: Scope): unknown {
  if (name === '.') return scope.dot;
  const holder = holderOf(name, scope);
  if (holder === undefined) throw bad(`undefined variable "${name}"`);
  return holder.names.get(name);
}

/** A map says nothing of a key that it does not have; for anything else a wrong name is a mistake. */
function fieldOf(value: unknown, field: string): unknown {
  if (value instanceof Map) return value.get(field) as unknown;
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, field)) {
    return (value as Readonly<Record<string, unknown>>)[field];
  }
  throw bad(`can't evaluate field ${field}`);
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return typeof value === 'object' ? value !== null : Boolean(value);
}

/** As Go prints it. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (value instanceof Map) {
    return `map[${[...value].map(([key, each]) => `${shown(key)}:${shown(each)}`).join(' ')}]`;
  }
  if (typeof value === 'object') return `{${Object.values(value).map(shown).join(' ')}}`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const VERB = /%([-0]*)(\d*)(?:\.(\d+))?([vsdqtfx%])/g;

function formatted(format: unknown, ...values: readonly unknown[]): string {
  let index = 0;
  return shown(format).replaceAll(VERB, (_, flags: string, width: string, digits: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    const text = verbText(verb, values[index], digits);
    index += 1;
    if (flags.includes('-')) return text.padEnd(Number(width));
    return text.padStart(Number(width), flags.includes('0') ? '0' : ' ');
  });
}

function verbText(verb: string, value: unknown, digits: string | undefined): string {
  if (verb === 'f') return Number(value).toFixed(digits === undefined ? 6 : Number(digits));
  if (verb === 'x') return Number(value).toString(16);
  if (verb === 'q') return JSON.stringify(shown(value));
  return digits === undefined ? shown(value) : shown(value).slice(0, Number(digits));
}

type Ordered = string | number;
const compare =
  (is: (order: number) => boolean) =>
  (one: unknown, other: unknown): boolean =>
    is((one as Ordered) < (other as Ordered) ? -1 : one === other ? 0 : 1);

/** Go's own, and the two of heketi-cli. */
const FUNCTIONS = new Map<string, (...values: readonly unknown[]) => unknown>(
  Object.entries({
    and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
    or: (...values) => values.find(isTrue) ?? values.at(-1),
    not: (value) => !isTrue(value),
    eq: (one, ...others) => others.includes(one),
    ne: (one, other) => one !== other,
    lt: compare((order) => order < 0),
    le: compare((order) => order <= 0),
    gt: compare((order) => order > 0),
    ge: compare((order) => order >= 0),
    len: (value) => (typeof value === 'string' ? value.length : entriesOf(value).length),
    index: (value, ...keys) => keys.reduce<unknown>(entryOf, value),
    print: (...values) => values.map(shown).join(''),
    println: (...values) => `${values.map(shown).join(' ')}\n`,
    printf: formatted,
    join: (list, between) =>
      entriesOf(list)
        .map(([, value]) => shown(value))
        .join(shown(between)),
    kibToGib: (kib) => String(Math.trunc(Number(kib) / KIB_PER_GIB)),
  } satisfies Readonly<Record<string, (...values: readonly unknown[]) => unknown>>),
);

function entryOf(value: unknown, key: unknown): unknown {
  if (value instanceof Map) return value.get(key) as unknown;
  if (!Array.isArray(value) || typeof key !== 'number') throw bad(`index cannot look into ${shown(value)}`);
  if (key < 0 || key >= value.length) throw bad(`index out of range: ${String(key)}`);
  return value[key] as unknown;
}
