import fc from 'fast-check';
import { persistentMap } from './persistent-map';

/** Few distinct keys, and two whose 32-bit hashes are equal, so that sets, overwrites and deletes meet. */
const key = fc.oneof(
  fc.constantFrom('k4uzx', 'kf2ad'),
  fc.integer({ min: 0, max: 400 }).map(String),
  fc.string({ maxLength: 3 }),
);
const change = fc.record({ key, value: fc.option(fc.integer(), { nil: undefined }) });

describe('PersistentMap', () => {
  it('agrees with a Map after any sequence of sets and deletes', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600 }), (changes) => {
        const model = new Map<string, number>();
        let map = persistentMap<string, number>();
        for (const { key: name, value } of changes) {
          if (value === undefined) model.delete(name);
          else model.set(name, value);
          map = value === undefined ? map.delete(name) : map.set(name, value);
        }
        expect(map.size).toBe(model.size);
        expect([...map.entries()].sort()).toEqual([...model.entries()].sort());
        for (const name of model.keys()) expect(map.get(name)).toBe(model.get(name));
      }),
    );
  });

  it('iterates in an order that depends on its keys alone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 200 }), fc.array(key, { maxLength: 50 }), (keys, passing) => {
        const plain = persistentMap(keys.map((name) => [name, 1] as const));
        let detour = persistentMap<string, number>();
        let oneByOne = persistentMap<string, number>();
        for (const name of keys) oneByOne = oneByOne.set(name, 1);
        for (const name of passing) detour = detour.set(name, 0);
        for (const name of [...keys].reverse()) detour = detour.set(name, 1);
        for (const name of passing) if (!keys.includes(name)) detour = detour.delete(name);
        expect([...detour.keys()]).toEqual([...plain.keys()]);
        expect([...oneByOne.keys()]).toEqual([...plain.keys()]);
        for (const name of keys) expect(plain.delete(name).size).toBe(keys.length - 1);
      }),
    );
  });

  it('keeps keys apart whose hashes are equal', () => {
    const map = persistentMap<string, number>([
      ['k4uzx', 1],
      ['kf2ad', 2],
    ]);
    expect([map.get('k4uzx'), map.get('kf2ad'), map.delete('k4uzx').get('kf2ad')]).toEqual([1, 2, 2]);
  });

  it('is built from many entries as it would be set by set', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `key${String(index % 15_000)}`);
    let oneByOne = persistentMap<string, number>();
    keys.forEach((key, index) => (oneByOne = oneByOne.set(key, index)));
    const built = persistentMap(keys.map((key, index) => [key, index] as const));
    expect(built.size).toBe(15_000);
    expect([...built.entries()]).toEqual([...oneByOne.entries()]);
    expect(built).toEqual(oneByOne);
  });

  it('leaves the map it came from as it was', () => {
    const before = persistentMap<string, number>([['a', 1]]);
    before.set('b', 2).delete('a');
    expect([...before.entries()]).toEqual([['a', 1]]);
  });
});
