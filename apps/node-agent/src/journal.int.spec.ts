import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostName, NodeId, OperationId, type TaskEnvelope, TaskId, type TaskOutcome } from '@brickyard/contracts';
import { openJournal } from './journal';
import { openLedger } from './ledger';

jest.setTimeout(60_000);

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'brickyard-journal-'));
  file = join(directory, 'journal');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function linesIn(path: string): Promise<unknown[]> {
  const lines: unknown[] = [];
  const journal = await openJournal(path, { sync: true }, (line) => lines.push(line));
  await journal.close();
  return lines;
}

describe('a journal', () => {
  it('gives back every line, in order, however many came at once', async () => {
    const journal = await openJournal(file, { sync: true }, () => undefined);
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    await Promise.all(numbers.map((n) => journal.append({ n })));
    expect(journal.length).toBe(500);
    await journal.close();
    expect(await linesIn(file)).toEqual(numbers.map((n) => ({ n })));
  });

  it('drops the half line that a crash leaves, and goes on behind the last whole one', async () => {
    writeFileSync(file, '{"n":1}\n{"n":2}\n{"n":');
    const journal = await openJournal(file, { sync: true }, () => undefined);
    await journal.append({ n: 3 });
    await journal.close();
    expect(await linesIn(file)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('says which line is damaged', async () => {
    writeFileSync(file, '{"n":1}\nnonsense\n{"n":2}\n');
    await expect(linesIn(file)).rejects.toThrow(`line 2 of ${file} is not JSON`);
  });

  it('can be rewritten while lines come', async () => {
    const kept: number[] = [];
    const journal = await openJournal(file, { sync: false }, () => undefined);
    const append = (n: number): Promise<void> => {
      kept.push(n);
      return journal.append({ n });
    };
    const before = Array.from({ length: 20 }, (_, n) => append(n));
    const rewriting = journal.rewrite(() => kept.map((n) => ({ n })));
    const after = Array.from({ length: 20 }, (_, n) => append(20 + n));
    await Promise.all([...before, rewriting, ...after]);
    await journal.close();
    const found = (await linesIn(file)).map((line) => (line as { n: number }).n);
    expect([...new Set(found)].sort((a, b) => a - b)).toEqual(kept);
  });
});

const envelope = (name: string, generation: number, resource = 'brick:1'): TaskEnvelope => ({
  taskId: TaskId.parse(`${'a'.repeat(32)}.${name}`),
  operationId: OperationId.parse('a'.repeat(32)),
  nodeId: NodeId.parse('1'.repeat(32)),
  host: HostName.parse('h1'),
  resource,
  generation,
  task: { type: 'CheckNode', nodeId: NodeId.parse('1'.repeat(32)) },
});
const outcome = ({ taskId, operationId, host }: TaskEnvelope): TaskOutcome => ({
  taskId,
  operationId,
  host,
  tookMs: 1,
  outcome: { kind: 'done', result: { kind: 'nothing' } },
});

describe('the ledger of tasks', () => {
  it('remembers over a crash how new the newest was, and what became of each', async () => {
    const first = await openLedger({ file, sync: true });
    const task = envelope('one', 7);
    await first.accept(task);
    await first.record(task, outcome(task));
    appendFileSync(file, '{"is":"acc'); // The crash.
    const second = await openLedger({ file, sync: true });
    expect(second.seen(envelope('two', 3))).toBe(7);
    expect(second.seen(envelope('two', 3, 'brick:2'))).toBe(0);
    expect(second.outcomeOf(task)).toEqual(outcome(task));
    expect(second.outcomeOf({ ...task, generation: 8 })).toBeUndefined();
    await Promise.all([first.close(), second.close()]);
  });

  it('forgets the oldest outcomes, never the newest, and stays small', async () => {
    const ledger = await openLedger({ file, sync: false, outcomesMax: 100, resourcesMax: 100 });
    for (let n = 1; n <= 12_000; n += 1) {
      const task = envelope(`t${String(n)}`, n, `brick:${String(n % 300)}`);
      void ledger.accept(task);
      void ledger.record(task, outcome(task));
    }
    const last = envelope('last', 12_001, 'brick:x');
    await ledger.accept(last);
    await ledger.record(last, outcome(last));
    await ledger.close();
    const again = await openLedger({ file, sync: false, outcomesMax: 100, resourcesMax: 100 });
    expect(again.outcomeOf(last)).toEqual(outcome(last));
    expect(again.outcomeOf(envelope('t1', 1, 'brick:1'))).toBeUndefined();
    expect(again.seen(envelope('any', 1, `brick:${String(12_000 % 300)}`))).toBe(12_000);
    expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(21_000);
    await again.close();
  });
});
