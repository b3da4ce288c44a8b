import { generateKeyPairSync } from 'node:crypto';
import {
  checkpointLine,
  keyIdOf,
  parseCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
  type Checkpoint,
} from './checkpoint';
import { auditCheckpoints, compareCheckpoints, type CheckpointSource } from './verify-checkpoints';

const [old, fresh, foreign] = [
  generateKeyPairSync('ed25519'),
  generateKeyPairSync('ed25519'),
  generateKeyPairSync('ed25519'),
];
const trusted = new Map([old, fresh].map(({ publicKey }) => [keyIdOf(publicKey), publicKey]));
const hashOf = (position: number): string => position.toString(16).padStart(64, '0');
const at = '2026-01-01T00:00:00.000Z';
const signed = (position: number, key = old.privateKey, hash = hashOf(position)): Checkpoint =>
  signCheckpoint({ ledger: 'control', position, hash, at }, key);

const source = (name: string, checkpoints: readonly Checkpoint[]): CheckpointSource => ({
  name,
  checkpoints,
  handOvers: [],
});

function audit(checkpoints: readonly Checkpoint[], upTo = 30, keys: typeof trusted | undefined = trusted) {
  const walk = auditCheckpoints([source('the table', checkpoints)], keys);
  for (let position = 1; position <= upTo; position += 1) walk.take({ position, hash: hashOf(position) });
  return walk.end({ position: upTo, hash: hashOf(upTo) });
}

describe('a checkpoint', () => {
  it('is vouched for by any trusted key, so that keys can follow one another', () => {
    expect(audit([signed(10), signed(20, fresh.privateKey)])).toEqual({
      findings: [],
      fitting: 2,
      vouchedUpTo: 20,
      handOvers: 0,
    });
  });

  it('comes back from its line, and nothing else does', () => {
    expect(parseCheckpoint(checkpointLine(signed(10)))).toEqual(signed(10));
    for (const line of ['', '{', '[]', 'null', '{"position":1}']) expect(parseCheckpoint(line)).toBeUndefined();
  });

  it.each<[string, Partial<Checkpoint>]>([
    ['position', { position: 11 }],
    ['hash', { hash: hashOf(11) }],
    ['ledger', { ledger: 'registry' }],
    ['time', { at: '2026-01-02T00:00:00.000Z' }],
    ['signature', { signature: signed(11).signature }],
    ['signature cut short', { signature: signed(10).signature.slice(4) }],
  ])('is forged when its %s is another one', (_, change) => {
    expect(verifyCheckpoint({ ...signed(10), ...change }, trusted)).toBe('forged');
  });

  it('is refused when nobody signed it, or somebody who is not trusted', () => {
    expect(audit([{ ...signed(10), signature: '' }, signed(20, foreign.privateKey)]).findings).toMatchObject([
      { kind: 'checkpoint-forged', position: 10, detail: expect.stringContaining('no signature') as string },
      { kind: 'checkpoint-forged', position: 20, detail: expect.stringContaining('not trusted') as string },
    ]);
  });

  it('tells that the ledger was rewritten, and since when', () => {
    const { findings, vouchedUpTo } = audit([signed(10), signed(20, old.privateKey, hashOf(999))]);
    expect(findings).toMatchObject([
      { kind: 'checkpoint-mismatch', position: 20, detail: expect.stringContaining('after position 10') as string },
    ]);
    expect(vouchedUpTo).toBe(10);
  });

  it('tells that the tail was cut off', () => {
    expect(audit([signed(10), signed(50)]).findings).toMatchObject([{ kind: 'checkpoint-beyond-end', position: 31 }]);
  });

  it('vouches for nothing as long as no key is trusted', () => {
    const walk = auditCheckpoints([source('the table', [signed(1, foreign.privateKey)])], undefined);
    walk.take({ position: 1, hash: hashOf(1) });
    expect(walk.end({ position: 1, hash: hashOf(1) })).toEqual({
      findings: [],
      fitting: 1,
      vouchedUpTo: 0,
      handOvers: 0,
    });
  });
});

describe('table and files', () => {
  const table = source('table', [signed(10), signed(20), signed(30)]);

  it('agree when every checkpoint of the table is in one of the files, whenever it was signed', () => {
    const later = signCheckpoint({ ledger: 'control', position: 30, hash: hashOf(30), at: '2027' }, old.privateKey);
    const files = [source('a', [signed(10), later]), source('b', [signed(20)])];
    expect(compareCheckpoints(table, files)).toEqual([]);
    expect(compareCheckpoints(table, [])).toEqual([]);
  });

  it('are told apart when one was cut, or goes back', () => {
    expect(compareCheckpoints(table, [source('a', [signed(10), signed(20)])])).toMatchObject([
      { kind: 'checkpoint-missing', position: 30, detail: expect.stringContaining('that a has not') as string },
    ]);
    const longer = source('a', [...table.checkpoints, signed(40)]);
    expect(compareCheckpoints(table, [longer])).toMatchObject([
      { kind: 'checkpoint-missing', position: 40, detail: expect.stringContaining('that table has not') as string },
    ]);
    const back = source('a', [signed(10), signed(30), signed(20)]);
    expect(compareCheckpoints(table, [back])).toMatchObject([{ kind: 'checkpoint-disorder', position: 20 }]);
  });
});
