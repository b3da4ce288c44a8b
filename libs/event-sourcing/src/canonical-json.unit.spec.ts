import fc from 'fast-check';
import { canonical, canonicalJson, type JsonValue } from './canonical-json';
import { jsonValues } from './spec-arbitraries';

/** The same value with the keys of every object inserted in another order. */
function reversed(value: JsonValue): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, reversed(field)]),
  );
}

describe('canonicalJson', () => {
  it('sorts keys by UTF-16 code units and writes no whitespace', () => {
    const value = {
      b: [1, -2, { z: null, a: true }],
      '\u{10000}': 1,
      '\ue000': 2,
      '10': 3,
      '9': 4,
      '': 'x\n"\\\u0001é',
    };
    expect(canonicalJson(value)).toBe(
      '{"":"x\\n\\"\\\\\\u0001é","10":3,"9":4,"b":[1,-2,{"a":true,"z":null}],"\u{10000}":1,"\ue000":2}',
    );
  });

  it('is the same for every order of keys', () => {
    fc.assert(fc.property(jsonValues, (value) => canonicalJson(reversed(value)) === canonicalJson(value)));
  });

  it('parses back to an equal value, which has the same text', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const text = canonicalJson(value);
        const parsed: unknown = JSON.parse(text);
        expect(canonicalJson(parsed)).toBe(text);
        expect(parsed).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it.each([
    ['nested keys in any order', { b: { d: [1, { f: 'x', e: null }], c: true }, a: -1 }],
    ['keys that are numbers', { b: { '10': 1, '9': 2, a: 3 } }],
    ['a key that names the prototype', JSON.parse('{"z":{"__proto__":{"x":1},"a":2}}')],
    ['objects without a prototype', Object.assign(Object.create(null) as object, { b: 1, a: 2 })],
  ])('comes with the value that a reader of the text has: %s', (_, value: unknown) => {
    const { text, value: said } = canonical(value);
    // JSON.stringify shows the order of keys, which toEqual does not look at.
    expect(JSON.stringify(said)).toBe(JSON.stringify(JSON.parse(text)));
  });

  it('comes with the value that a reader of the text has, whatever it is', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const { text, value: said } = canonical(value);
        expect(text).toBe(canonicalJson(value));
        expect(JSON.stringify(said)).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it.each([
    ['NaN', { a: [NaN] }, '$.a[0]: NaN'],
    ['infinity', Infinity, '$: Infinity'],
    ['a fraction', { size: 0.5 }, '$.size: 0.5'],
    ['an unsafe integer', 2 ** 53, '$: 9007199254740992'],
    ['minus zero', [-0], '$[0]: 0 is not'],
    ['undefined', { a: undefined }, '$.a: undefined'],
    ['a hole in an array', [1, , 3], '$[1]: undefined'],
    ['a bigint', { a: 1n }, '$.a: bigint'],
    ['a date', { at: new Date(0) }, '$.at: only plain objects'],
    ['a map', new Map(), '$: only plain objects'],
    ['U+0000', { a: 'x\0' }, '$.a: U+0000'],
    ['U+0000 in a key', { 'x\0': 1 }, '$: U+0000'],
    ['a lone high surrogate', ['\ud800'], '$[0]: lone surrogate'],
    ['a lone low surrogate', { a: '\udc00x' }, '$.a: lone surrogate'],
  ])('refuses %s and says where', (_, value, message) => {
    expect(() => canonicalJson(value)).toThrow(RangeError);
    expect(() => canonicalJson(value)).toThrow(message);
  });
});
