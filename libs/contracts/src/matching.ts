/**
 * A quick look at whether a value is what a schema takes as it stands. A schema's own parse copies every value and keeps
 * an account of every field, which for an event of a hundred fields costs more than deciding it did.
 */
import type { z } from 'zod';

/**
 * True: the schema takes the value, and would give back an equal one. False: it refuses the value, changes it, or is of
 * a kind that is not known here; then the schema itself has to be asked.
 */
export type Matches = (value: unknown) => boolean;

type Def = z.core.$ZodTypes['_zod']['def'];
type DefOf<Type extends Def['type']> = Extract<Def, { readonly type: Type }>;
type Makers = { readonly [Type in Def['type']]?: (def: DefOf<Type>) => Matches };

const never: Matches = () => false;

/** The part of a check that is needed of it. */
interface Check {
  readonly check: string;
  readonly format?: string;
  readonly pattern?: RegExp;
  readonly value?: number;
  readonly inclusive?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What checks look at. */
type Checked = string | number | readonly unknown[];
type Passes = (value: Checked) => boolean;

const limits: Readonly<Record<string, (check: Check) => Passes | undefined>> = {
  min_length:
    ({ minimum = Infinity }) =>
    (value) =>
      typeof value !== 'number' && value.length >= minimum,
  max_length:
    ({ maximum = -Infinity }) =>
    (value) =>
      typeof value !== 'number' && value.length <= maximum,
  greater_than: ({ value: limit, inclusive }) => {
    if (typeof limit !== 'number') return undefined;
    return (value) => typeof value === 'number' && (inclusive === true ? value >= limit : value > limit);
  },
  less_than: ({ value: limit, inclusive }) => {
    if (typeof limit !== 'number') return undefined;
    return (value) => typeof value === 'number' && (inclusive === true ? value <= limit : value < limit);
  },
  string_format: ({ format, pattern }) => {
    if (format !== 'regex' || pattern === undefined || pattern.global || pattern.sticky) return undefined;
    return (value) => typeof value === 'string' && pattern.test(value);
  },
};

/** All checks of a schema as one; nothing ever passes when one of them is not known here. */
function passing({ checks = [] }: { readonly checks?: readonly z.core.$ZodCheck[] }): Passes {
  const all: Passes[] = [];
  for (const { _zod } of checks) {
    const check = _zod.def as Check;
    const passes = limits[check.check]?.(check);
    if (passes === undefined) return never;
    all.push(passes);
  }
  const [first] = all;
  if (first === undefined) return () => true;
  return all.length === 1 ? first : (value) => all.every((passes) => passes(value));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Not what a class made: a schema of records refuses that. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Every field known and every required one there; more than that no schema of ours leaves as it is. */
function object({ shape, checks = [] }: DefOf<'object'>): Matches {
  if (checks.length > 0) return never;
  const fields = new Map<string, Matches>();
  const required = new Set<string>();
  for (const [name, schema] of Object.entries<z.core.$ZodType>(shape)) {
    fields.set(name, matcherOf(schema));
    if (typeOf(schema) !== 'optional') required.add(name);
  }
  const isEach = required.size === fields.size;
  return (value) => {
    if (!isRecord(value)) return false;
    const names = Object.keys(value);
    for (const name of names) if (fields.get(name)?.(value[name]) !== true) return false;
    if (isEach || names.length === fields.size) return names.length === fields.size;
    for (const name of required) if (!Object.hasOwn(value, name)) return false;
    return true;
  };
}

function array(def: DefOf<'array'>): Matches {
  const element = matcherOf(def.element);
  const passes = passing(def);
  return (value) => {
    if (!Array.isArray(value)) return false;
    const items: readonly unknown[] = value;
    for (const item of items) if (!element(item)) return false;
    return passes(items);
  };
}

function record({ keyType, valueType, checks = [] }: DefOf<'record'>): Matches {
  if (checks.length > 0 || typeOf(keyType) !== 'string') return never;
  const [name, content] = [matcherOf(keyType), matcherOf(valueType)];
  return (value) => {
    if (!isRecord(value) || !isPlain(value)) return false;
    for (const key of Object.keys(value)) if (key === '__proto__' || !name(key) || !content(value[key])) return false;
    return true;
  };
}

/** The option that a tag names; undefined when an option has no single tag. */
function byTag(options: readonly z.core.$ZodType[], tag: string): ReadonlyMap<unknown, Matches> | undefined {
  const known = new Map<unknown, Matches>();
  for (const option of options) {
    const { def } = (option as z.core.$ZodTypes)._zod;
    const literal = def.type === 'object' ? (def.shape as Record<string, z.core.$ZodTypes>)[tag]?._zod.def : undefined;
    if (literal?.type !== 'literal') return undefined;
    for (const value of literal.values) known.set(value, matcherOf(option));
  }
  return known;
}

function union(def: DefOf<'union'>): Matches {
  const { options, checks = [] } = def;
  const discriminator = 'discriminator' in def ? def.discriminator : undefined;
  if (checks.length > 0) return never;
  const tagged = typeof discriminator === 'string' ? byTag(options, discriminator) : undefined;
  if (tagged !== undefined && typeof discriminator === 'string') {
    return (value) => isRecord(value) && tagged.get(value[discriminator])?.(value) === true;
  }
  // The first option that takes a value may give back another one, where a later one would leave it as it is.
  const seen = new Set<z.core.$ZodType>();
  if (!options.every((option) => isExact(option, seen))) return never;
  const all = options.map(matcherOf);
  return (value) => all.some((matches) => matches(value));
}

const EXACT: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'null', 'literal', 'enum']);

/** Whether a schema takes a value as it stands or not at all. */
function isExact(schema: z.core.$ZodType, seen: Set<z.core.$ZodType>): boolean {
  if (seen.has(schema)) return true;
  seen.add(schema);
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'lazy') return isExact(def.getter(), seen);
  if (def.type === 'union') return def.options.every((option) => isExact(option, seen));
  if (def.type === 'array') return isExact(def.element, seen);
  if (def.type === 'record') return isExact(def.keyType, seen) && isExact(def.valueType, seen);
  return EXACT.has(def.type);
}

function number(def: DefOf<'number'>): Matches {
  const format = 'format' in def ? def.format : 'any';
  const passes = passing(def);
  if (format === 'safeint') return (value) => Number.isSafeInteger(value) && passes(value as number);
  return format === 'any' ? (value) => Number.isFinite(value) && passes(value as number) : never;
}

/** Not looked into before it is asked: it may lead back to itself. */
function lazy({ getter }: DefOf<'lazy'>): Matches {
  let inner: Matches | undefined;
  return (value) => {
    inner ??= matcherOf(getter());
    return inner(value);
  };
}

/** Of the formats only times are known here: they are all their pattern says. */
function string(def: DefOf<'string'>): Matches {
  const passes = passing(def);
  const { format, pattern, coerce } = def as Partial<Check> & Pick<typeof def, 'coerce'>;
  if (coerce === true) return never;
  if (format === undefined) return (value) => typeof value === 'string' && passes(value);
  if (format !== 'datetime' || pattern === undefined) return never;
  return (value) => typeof value === 'string' && pattern.test(value) && passes(value);
}

const makers: Makers = {
  object,
  array,
  record,
  union,
  number,
  string,
  lazy,
  boolean: ({ coerce }) => (coerce === true ? never : (value) => typeof value === 'boolean'),
  null: () => (value) => value === null,
  literal: ({ values }) => {
    const known = new Set<unknown>(values);
    return (value) => known.has(value);
  },
  enum: ({ entries }) => {
    const known = new Set<unknown>(Object.values(entries));
    return (value) => known.has(value);
  },
  optional: ({ innerType }) => matcherOf(innerType),
  nullable: ({ innerType }) => {
    const inner = matcherOf(innerType);
    return (value) => value === null || inner(value);
  },
};

const typeOf = (schema: z.core.$ZodType): Def['type'] => (schema as z.core.$ZodTypes)._zod.def.type;

const made = new WeakMap<z.core.$ZodType, Matches>();

/** The quick look of a schema; made once. */
export function matcherOf(schema: z.core.$ZodType): Matches {
  const known = made.get(schema);
  if (known !== undefined) return known;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const make = makers[def.type] as ((def: Def) => Matches) | undefined;
  const matches = make?.(def) ?? never;
  made.set(schema, matches);
  return matches;
}

/** A schema at a door where nearly everything that comes is right: it copies only what it changes, and explains only what it refuses. */
export type QuickSchema<Schema extends z.ZodType> = Pick<z.ZodType<z.infer<Schema>>, 'parse' | 'safeParse'>;

/** As the schema itself, but a value that it takes as it stands is given back and not copied. */
export function quick<Schema extends z.ZodType>(schema: Schema): QuickSchema<Schema> {
  const matches = matcherOf(schema);
  return {
    parse: (value) => (matches(value) ? (value as z.infer<Schema>) : schema.parse(value)),
    safeParse: (value) =>
      matches(value) ? { success: true, data: value as z.infer<Schema> } : schema.safeParse(value),
  };
}
