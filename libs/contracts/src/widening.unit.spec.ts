import { z } from 'zod';
import { narrowings } from './widening';

const schemaOf = (schema: z.ZodType): unknown => JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: 'input' })));
const refused = (before: z.ZodType, after: z.ZodType): string[] => narrowings(schemaOf(before), schemaOf(after));

const kind = <K extends string>(name: K, more: z.ZodRawShape = {}) =>
  z.strictObject({ kind: z.literal(name), ...more });

describe('a published schema', () => {
  it('may get members of a union, values of an enum and optional fields, at any depth', () => {
    const before = z.strictObject({
      tasks: z.array(z.discriminatedUnion('kind', [kind('a', { size: z.int() }), kind('b')])),
      how: z.enum(['x', 'y']),
    });
    const after = z.strictObject({
      tasks: z.array(
        z.discriminatedUnion('kind', [kind('b'), kind('c'), kind('a', { size: z.int(), more: z.string().optional() })]),
      ),
      how: z.enum(['x', 'y', 'z']),
      why: z.string().optional(),
    });
    expect(refused(before, after)).toEqual([]);
  });

  it.each<[string, z.ZodType, z.ZodType, RegExp]>([
    ['a field that goes', z.strictObject({ a: z.int(), b: z.int() }), z.strictObject({ a: z.int() }), /\/b: is gone/],
    ['a field that is demanded', z.strictObject({}), z.strictObject({ a: z.int() }), /\/a: is demanded now/],
    [
      'an optional field that is demanded',
      z.strictObject({ a: z.int().optional() }),
      z.strictObject({ a: z.int() }),
      /demanded/,
    ],
    ['another type', z.strictObject({ a: z.int() }), z.strictObject({ a: z.string() }), /\/a: type has changed/],
    ['a tighter bound', z.strictObject({ a: z.int().min(0) }), z.strictObject({ a: z.int().min(1) }), /minimum/],
    ['a value that goes', z.enum(['x', 'y']), z.enum(['x']), /y is gone/],
    [
      'a member that goes',
      z.discriminatedUnion('kind', [kind('a'), kind('b')]),
      z.discriminatedUnion('kind', [kind('a'), kind('c')]),
      /"b".* is gone/,
    ],
    [
      'a member that changes',
      z.discriminatedUnion('kind', [kind('a', { n: z.int() }), kind('b')]),
      z.discriminatedUnion('kind', [kind('a', { n: z.string() }), kind('b')]),
      /\/n: type has changed/,
    ],
  ])('needs a new version for %s', (_, before, after, problem) => {
    expect(refused(before, after).join('\n')).toMatch(problem);
  });
});
