import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checklist, gapsIn, type Proof } from './checklist';
import { elsewhere, rows } from './rows';

const ROOT = join(__dirname, '../../..');

function textOf(spec: string): string | undefined {
  const file = join(ROOT, spec);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

describe('the checklist', () => {
  it('has a proof of each row, here or in a test that is there', () => {
    expect(Object.keys(checklist)).toHaveLength(133);
    expect(gapsIn(Object.keys(checklist), rows, elsewhere, textOf)).toEqual([]);
  });

  const proof = (title: string): Proof[] => [{ spec: 'a.spec.ts', title }];
  it.each([
    ['a row without a test', ['A01', 'A02'], [{ id: 'A01' }], {}, ['A02 is proven nowhere']],
    ['a row that only has more of the same', ['A01'], [{ id: 'A01b' }], {}, ['A01 is proven nowhere']],
    ['two tests of one row', ['A01'], [{ id: 'A01' }, { id: 'A01' }], {}, ['A01 is named twice']],
    ['a test beside a proof elsewhere', ['A01'], [{ id: 'A01' }], { A01: proof('is so') }, ['A01 is named twice']],
    ['a row nobody knows', ['A01'], [{ id: 'A01', also: ['A09'] }], {}, ['A09 is not on the list']],
    ['more of a row nobody knows', [], [{ id: 'B00b' }], {}, ['B00b belongs to no row of the list']],
    ['a proof that is none', ['A01'], [], { A01: [] }, ['A01 names no proof']],
    ['a title that changed', ['A01'], [], { A01: proof('was so') }, ['A01: a.spec.ts has no test "was so"']],
    ['a part of a title', ['A01'], [], { A01: proof('is') }, ['A01: a.spec.ts has no test "is"']],
    [
      'a spec that was moved',
      ['A01'],
      [],
      { A01: [{ spec: 'b.spec.ts', title: 'is so' }] },
      ['A01: there is no b.spec.ts'],
    ],
  ] as const)('notices %s', (_, ids, some, others, wanted) => {
    const text = (spec: string): string | undefined => (spec === 'a.spec.ts' ? `it('is so', () => {` : undefined);
    expect(gapsIn(ids, some, others, text)).toEqual(wanted);
  });
});
