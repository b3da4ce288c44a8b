import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { keyIdOf, signCheckpoint, type Checkpoint } from './checkpoint';
import { followHandOvers, handOverLine, parseHandOver, signHandOver, type HandOver } from './hand-over';
import { auditCheckpoints, compareCheckpoints } from './verify-checkpoints';

const [first, second, third, thief] = ['first', 'second', 'third', 'thief'].map(
  () => generateKeyPairSync('ed25519').privateKey,
) as [KeyObject, KeyObject, KeyObject, KeyObject];
const trusted = new Map([[keyIdOf(first), first]]);
const hashOf = (position: number): string => position.toString(16).padStart(64, '0');
const at = '2026-01-01T00:00:00.000Z';
const end = (position: number, hash = hashOf(position)) => ({ ledger: 'control', position, hash, at });
const signed = (position: number, key: KeyObject): Checkpoint => signCheckpoint(end(position), key);
const handed = (position: number, before: HandOver | undefined, old: KeyObject, fresh: KeyObject): HandOver =>
  signHandOver(end(position), before, { old, fresh });

const one = handed(10, undefined, first, second);
const two = handed(20, one, second, third);
const honest = [signed(5, first), signed(10, first), signed(15, second), signed(25, third)];

function audit(checkpoints: readonly Checkpoint[], handOvers: readonly HandOver[], keys: typeof trusted = trusted) {
  const walk = auditCheckpoints([{ name: 'the table', checkpoints, handOvers }], keys);
  for (let position = 1; position <= 30; position += 1) walk.take({ position, hash: hashOf(position) });
  return walk.end({ position: 30, hash: hashOf(30) });
}

const kinds = ({ findings }: ReturnType<typeof audit>): string[] =>
  findings.map(({ kind, position }) => `${kind}@${String(position)}`);

describe('hand-overs', () => {
  it('lead from one trusted key to all that signed after it', () => {
    expect(audit(honest, [one, two])).toEqual({ findings: [], fitting: 4, vouchedUpTo: 25, handOvers: 2 });
  });

  it('vouch for the position they were made at, also when no checkpoint does', () => {
    expect(audit([], [one, two])).toEqual({ findings: [], fitting: 0, vouchedUpTo: 20, handOvers: 2 });
  });

  it('change nothing where every key is trusted by itself, but a retired one may not go on', () => {
    const all = new Map([first, second, third].map((key) => [keyIdOf(key), key]));
    expect(audit(honest, [one, two], all).findings).toEqual([]);
    expect(audit(honest, [], all).findings).toEqual([]);
    expect(kinds(audit([...honest, signed(26, first)], [one, two], all))).toEqual(['key-retired@26']);
  });

  it('come back from their lines, and nothing else does', () => {
    expect(parseHandOver(handOverLine(one))).toEqual(one);
    expect(parseHandOver(JSON.stringify(signed(5, first)))).toBeUndefined();
    expect(parseHandOver(JSON.stringify({ ...one, number: '1' }))).toBeUndefined();
    for (const line of ['', '{', '[]', 'null', '{"kind":"hand-over"}']) expect(parseHandOver(line)).toBeUndefined();
  });

  it('leave a checkpoint forged when nobody handed over to its key', () => {
    const report = audit([...honest, signed(28, thief)], [one, two]);
    expect(kinds(report)).toEqual(['checkpoint-forged@28']);
    expect(report.findings[0]?.detail).toContain('no trusted key handed over to');
    expect(report.vouchedUpTo).toBe(25);
  });

  it('name a retired key that goes on signing, and a new one that signed before it was in office', () => {
    expect(kinds(audit([...honest, signed(21, second), signed(11, first)], [one, two]))).toEqual([
      'key-retired@11',
      'key-retired@21',
    ]);
    expect(kinds(audit([...honest, signed(9, second)], [one, two]))).toEqual(['checkpoint-forged@9']);
  });

  it.each<[string, Partial<HandOver>]>([
    ['position', { position: 11 }],
    ['hash', { hash: hashOf(11) }],
    ['time', { at: '2026-01-02T00:00:00.000Z' }],
    ['ledger', { ledger: 'registry' }],
    ['new key', { to: keyIdOf(thief) }],
    ['public key', { publicKey: 'AAAA' }],
    ['predecessor', { previous: hashOf(1) }],
    ['signature', { signature: two.signature }],
    ['countersignature', { countersignature: two.countersignature }],
  ])('are forged when their %s is another one, and then nobody after them is believed', (_, change) => {
    const report = audit(honest, [{ ...one, ...change }, two]);
    expect(kinds(report)).toEqual(
      expect.arrayContaining(['hand-over-forged@20', 'checkpoint-forged@15', 'checkpoint-forged@25']) as string[],
    );
    expect(kinds(report)).toContain(`hand-over-forged@${String(change.position ?? 10)}`);
    expect(report.vouchedUpTo).toBe(10);
  });

  it('are forged when a thief hands over to himself: unasked, with the old key, or in the name of another', () => {
    const unasked = handed(12, undefined, thief, third);
    expect(kinds(audit(honest, [one, two, { ...unasked, number: 3 }]))).toEqual(['hand-over-forged@12']);
    const again = handed(22, two, first, thief);
    const report = audit([...honest, signed(23, thief)], [one, two, again]);
    expect(kinds(report)).toEqual(['hand-over-forged@22', 'checkpoint-forged@23']);
    expect(report.findings[0]?.detail).toContain('had handed over');
    const fork = handed(12, undefined, first, thief);
    expect(kinds(audit(honest, [one, two, fork]))).toContain('hand-over-forged@12');
    const back = handed(26, two, third, first);
    expect(kinds(audit(honest, [one, two, back]))).toEqual(['hand-over-forged@26']);
  });

  it('are missed when one was taken out, and named by the keys that nobody vouches for then', () => {
    expect(kinds(audit(honest, [two]))).toEqual([
      'checkpoint-forged@15',
      'hand-over-missing@20',
      'hand-over-forged@20',
      'checkpoint-forged@25',
    ]);
    expect(kinds(audit(honest, [one]))).toEqual(['checkpoint-forged@25']);
  });

  it('are missed when the rest was renumbered: what was signed does not fit', () => {
    const all = new Map([first, second, third].map((key) => [keyIdOf(key), key]));
    expect(kinds(audit(honest, [{ ...two, number: 1 }], all))).toEqual(['hand-over-forged@20']);
    const resigned = handed(20, undefined, second, third); // By somebody who has the second key.
    expect(kinds(audit(honest, [resigned]))).toContain('hand-over-forged@20');
    const unlinked = signHandOver(end(20), { ...one, at: '2025' }, { old: second, fresh: third });
    expect(audit(honest, [one, unlinked]).findings[0]?.detail).toContain('signed after another one');
  });

  it('are named when they stand in another order', () => {
    expect(kinds(audit(honest, [two, one]))).toEqual(['hand-over-reordered@10']);
  });

  it('tell that history before them was rewritten, or cut', () => {
    const rewritten = signHandOver(end(10, hashOf(999)), undefined, { old: first, fresh: second });
    expect(kinds(audit([], [rewritten]))).toEqual(['checkpoint-mismatch@10']);
    expect(kinds(audit([], [handed(40, undefined, first, second)]))).toEqual(['checkpoint-beyond-end@31']);
  });

  it('are checked for their numbers also without keys', () => {
    const { findings, offices } = followHandOvers([{ name: 'the table', handOvers: [two] }], undefined);
    expect(findings).toMatchObject([{ kind: 'hand-over-missing', position: 20 }]);
    expect(offices.size).toBe(0);
  });

  it('are to stand in the table and in one of the files', () => {
    const source = (name: string, handOvers: readonly HandOver[]) => ({ name, checkpoints: [], handOvers });
    expect(compareCheckpoints(source('table', [one, two]), [source('a', [one]), source('b', [one, two])])).toEqual([]);
    expect(compareCheckpoints(source('table', [one]), [source('a', [one, two])])).toMatchObject([
      { kind: 'hand-over-missing', position: 20, detail: expect.stringContaining('table has it not') as string },
    ]);
    expect(compareCheckpoints(source('table', [one, two]), [source('a', [one])])).toMatchObject([
      { kind: 'hand-over-missing', position: 20, detail: expect.stringContaining('a has it not') as string },
    ]);
  });
});
