/** JSON as the log allows it, for property tests. */
import fc from 'fast-check';
import type { JsonObject, JsonValue } from './canonical-json';

const texts = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
  fc.constantFrom('', '"', '\\', '\u2028', '\u{1F9F1}', '__proto__', '10', '9', 'ä', '\u007f', '\ue000', '\u{10000}'),
);

const { value } = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  object: fc.dictionary(texts, tie('value'), { maxKeys: 5 }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((number) => number + 0), // No -0.
    texts,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
}));

/** Any value that has canonical JSON. */
export const jsonValues: fc.Arbitrary<JsonValue> = value;

/** Any object that has canonical JSON. */
export const jsonObjects: fc.Arbitrary<JsonObject> = fc.dictionary(texts, value, { maxKeys: 6 });
