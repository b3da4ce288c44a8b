import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { z } from 'zod';
import { controlEventSchemas } from './events';
import { matcherOf, quick } from './matching';
import { registryEventSchemas } from './registry/registry.events';
import { wireSchemas } from './wire';

const folder = join(__dirname, '..', 'fixtures', 'events');
const fixtures = readdirSync(folder).map((name) => {
  const [type = '', version = ''] = name.split('.v');
  const schema = controlEventSchemas[type as keyof typeof controlEventSchemas][Number.parseInt(version, 10) - 1];
  if (schema === undefined) throw new Error(`${name} has no schema`);
  return { name, schema: schema as z.ZodType, value: JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown };
});

/** A value with something else at one place, drawn from the places it has. */
function changed(value: unknown, picks: readonly number[], other: unknown): unknown {
  const [pick = 0, ...rest] = picks;
  if (typeof value !== 'object' || value === null || picks.length === 0) return other;
  if (Array.isArray(value)) {
    if (value.length === 0) return other;
    return value.map((item: unknown, at) => (at === pick % value.length ? changed(item, rest, other) : item));
  }
  const entries = Object.entries(value);
  const at = pick % (entries.length + 2);
  if (at === entries.length) return { ...value, more: other };
  if (at > entries.length) return Object.fromEntries(entries.slice(1));
  return Object.fromEntries(entries.map(([name, one], nth) => [name, nth === at ? changed(one, rest, other) : one]));
}

const other = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(undefined, null, -1, 0, -0, 0.5, 2 ** 53, Number.NaN, '', 'a'.repeat(32), 'none', [], {}, true),
);

/** What a quick look lets pass, its schema takes, and leaves as it is. */
function expectSound(schema: z.ZodType, value: unknown): void {
  if (!matcherOf(schema)(value)) return;
  const parsed = schema.safeParse(value);
  expect(parsed).toMatchObject({ success: true });
  expect(parsed.data).toEqual(value);
}

describe('a quick look', () => {
  it.each(fixtures)('lets $name pass', ({ schema, value }) => {
    expect(matcherOf(schema)(value)).toBe(true);
  });

  it.each(fixtures)('lets nothing pass that the schema of $name would not take as it stands', ({ schema, value }) => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }), other, (picks, instead) => {
        expectSound(schema, changed(value, picks, instead));
      }),
      { numRuns: 100 },
    );
  });

  it('lets nothing pass that a message’s schema would not take', () => {
    const all = [...Object.values(wireSchemas), ...Object.values(registryEventSchemas)].flat() as z.ZodType[];
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom(...fixtures.map(({ value }) => value)));
    fc.assert(
      fc.property(values, (value) => {
        for (const schema of all) expectSound(schema, value);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['limits of numbers', z.int().min(2).max(3), [2, 3], [1, 4, 2.5, '2', null]],
    ['limits above and below', z.int().gt(2).lt(5), [3, 4], [2, 5]],
    ['limits of lengths', z.string().min(1).max(2), ['a', 'ab'], ['', 'abc', 1]],
    ['limits of lists', z.array(z.string()).min(1).max(2), [['a'], ['a', 'b']], [[], ['a', 'b', 'c'], [1], 'a']],
    ['patterns', z.string().regex(/^a/), ['a'], ['b']],
    ['words', z.enum(['a', 'b']), ['a', 'b'], ['c', 1]],
    [
      'times',
      z.iso.datetime({ precision: 3 }),
      ['2026-01-01T00:00:00.000Z', '2024-02-29T23:59:59.999Z'],
      ['2026-02-29T00:00:00.000Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000+01:00', 'soon', '', 1, null],
    ],
    ['what may be null', z.string().nullable(), ['a', null], [undefined, 1]],
    ['any JSON', z.json(), [1.5, 'a', null, true, [{ a: [] }]], [undefined, Number.NaN, [undefined]]],
    ['records', z.record(z.string(), z.int()), [{}, { a: 1 }], [{ a: 'a' }, [], new Map()]],
    [
      'tags',
      z.discriminatedUnion('k', [z.object({ k: z.literal('a') })]),
      [{ k: 'a' }],
      [{ k: 'b' }, {}, { k: 'a', m: 1 }],
    ],
    [
      'fields that may be absent',
      z.strictObject({ a: z.string(), b: z.string().optional(), c: z.exactOptional(z.string()) }),
      [{ a: '' }, { a: '', b: '' }, { a: '', b: '', c: '' }],
      [{}, { b: '', c: '' }, { a: '', b: undefined }, { a: '', d: '' }, [], null],
    ],
  ])('knows %s', (_, schema, right, wrong) => {
    expect(right.map(matcherOf(schema))).toEqual(right.map(() => true));
    expect(wrong.map(matcherOf(schema))).toEqual(wrong.map(() => false));
    for (const value of [...right, ...wrong]) expectSound(schema, value);
  });

  it.each([
    ['changes', z.string().transform(Number)],
    ['fillings', z.strictObject({ a: z.string().default('') })],
    ['conditions', z.string().refine((text) => text !== '')],
    ['conditions on objects', z.strictObject({}).refine(() => false)],
    ['coercion', z.coerce.string()],
    ['formats', z.iso.date()],
    ['unions of what strips and what does not', z.union([z.object({}), z.strictObject({ a: z.string() })])],
  ])('leaves %s to the schema', (_, schema) => {
    for (const value of ['1', {}, { a: '' }, '2026-01-01T00:00:00Z']) expect(matcherOf(schema)(value)).toBe(false);
  });
});

describe('a quick schema', () => {
  const schema = quick(z.object({ a: z.string(), b: z.int().default(1) }).or(z.string()));

  it('gives a value back as it is, fills in what is missing, and explains what it refuses', () => {
    const plain = quick(z.strictObject({ a: z.array(z.string()) }));
    const value = { a: ['a'] };
    expect(plain.parse(value)).toBe(value);
    expect(plain.safeParse(value)).toEqual({ success: true, data: value });
    expect(plain.safeParse({ a: [1] }).error?.issues[0]?.path).toEqual(['a', 0]);
    expect(() => plain.parse({})).toThrow(/"a"/);
    expect(schema.parse({ a: '' })).toEqual({ a: '', b: 1 });
  });
});
