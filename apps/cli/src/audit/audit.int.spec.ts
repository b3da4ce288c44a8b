import { execFile } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlEvent } from '@brickyard/contracts';
import {
  emptyControlState,
  encodeSnapshot,
  evolveStored,
  FOLD_VERSION,
  newEvent,
  type ControlState,
} from '@brickyard/domain';
import { clusterOf, createVolume, newOperationId, obedient, type ControlPlane } from '@brickyard/domain/testing';
import {
  canonicalJson,
  checkpointLine,
  eventHash,
  eventIdAfter,
  GENESIS_HASH,
  handOverLine,
  keyIdOf,
  signCheckpoint,
  signHandOver,
  type Checkpoint,
  type HandOver,
  type StoredEvent,
} from '@brickyard/event-sourcing';
import {
  ensureSigningKey,
  migrate,
  openCheckpointTable,
  openLedgerReader,
  openLedgerWriter,
} from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import fc from 'fast-check';
import { Client } from 'pg';
import { runCli } from '../cli';
import { EXIT } from '../exit-codes';
import { verifyLedger, type VerifyReport } from './verify';

jest.setTimeout(300_000);

const metadata = { correlationId: 'c', actor: { name: 'admin', role: 'admin' } };
const server = process.env['BRICKYARD_TEST_PG_URL'] ?? '';
const GIB = 1_048_576;

/** A small life: three nodes, volumes made, grown and deleted. */
function life(): ControlPlane {
  const plane = clusterOf([1, 2, 3, 1].map((zone) => ({ zone, devicesKib: [100 * GIB, 50 * GIB] })));
  for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
    const command = createVolume(name, index + 1);
    plane.submit(command);
    plane.settle(obedient());
    const { volumeId, policy } = command;
    if (index === 1) {
      plane.submit({
        type: 'ExpandVolume',
        operationId: newOperationId(),
        volumeId,
        addKib: command.spec.sizeKib,
        policy,
      });
    }
    if (index === 2) plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    plane.settle(obedient());
  }
  const strict = createVolume('strict', 60, { kind: 'replicate', replica: 3 });
  plane.submit({ ...strict, policy: { ...strict.policy, zoneChecking: 'strict', brickMaxKib: (30 * GIB) as never } });
  plane.settle(obedient());
  return plane;
}

let folder: string;
let template: string;
let url: string;
let events: StoredEvent[];
let checkpoints: Checkpoint[];
/** The first of them is the one that auditors trust; each handed over to the next. */
let signers: KeyObject[];
let handOvers: HandOver[];
const file = (): string => join(folder, 'checkpoints');
const keys = (): string => join(folder, 'key.pem.pub');

function signer(index: number): KeyObject {
  const key = signers[index];
  if (key === undefined) throw new Error(`there is no key ${String(index)}`);
  return key;
}

/** The database every example starts from: events, snapshots, checkpoints as the allocator leaves them. */
async function prepare(): Promise<void> {
  template = await freshDatabase(server, 'audit');
  await migrate(template);
  const writer = await openLedgerWriter<ControlState, readonly ControlEvent[], string>({
    url: template,
    ledger: 'control',
    restore: () => Promise.resolve({ state: emptyControlState, position: 0 }),
    decide: (facts) => ({ events: facts.map(newEvent), reply: 'told' }),
    evolve: evolveStored,
    onCommitted: (committed) => events.push(...committed),
    onLost: () => undefined,
  });
  const reader = openLedgerReader({ url: template, ledger: 'control', role: 'writer' });
  const table = openCheckpointTable({ url: template, ledger: 'control', role: 'writer' });
  signers = [await ensureSigningKey(join(folder, 'key.pem'))];
  for (let more = 0; more < 2; more += 1) signers.push(generateKeyPairSync('ed25519').privateKey);
  const facts = life().log.map(({ event }) => event);
  for (let from = 0; from < facts.length; from += 10) {
    await writer.submit({ command: facts.slice(from, from + 10), commandId: `c-${String(from)}`, metadata });
    const { position, state } = writer;
    if (from % 40 !== 30) continue;
    await reader.saveSnapshot({ position, foldVersion: FOLD_VERSION, chunks: [...encodeSnapshot(state)] });
    const { hash } = events.at(-1) ?? { hash: '' };
    const end = { ledger: 'control', position, hash, at: '2026-01-01T00:00:00.000Z' };
    const [old = signer(0), fresh] = signers.slice(handOvers.length);
    checkpoints.push(signCheckpoint(end, old));
    if (fresh !== undefined) handOvers.push(signHandOver(end, handOvers.at(-1), { old, fresh }));
  }
  for (const checkpoint of checkpoints) await table.save(checkpoint);
  for (const handOver of handOvers) await table.saveHandOver(handOver);
  await writeFile(file(), [...handOvers.map(handOverLine), ...checkpoints.map(checkpointLine)].join(''));
  await Promise.all([writer.close(), reader.close(), table.close()]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brickyard-audit-'));
  events = [];
  checkpoints = [];
  handOvers = [];
  await prepare();
});

afterAll(async () => {
  await dropDatabase(template);
  await rm(folder, { recursive: true, force: true });
});

async function sql(at: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: at });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A copy of the prepared database in which a superuser does something behind the triggers. */
function tampered(...statements: string[]): Promise<VerifyReport> {
  return tamperedWith(file(), ...statements);
}

async function tamperedWith(checkpointFile: string, ...statements: string[]): Promise<VerifyReport> {
  const copy = new URL(template);
  const name = `audit_copy_${Math.random().toString(16).slice(2)}`;
  copy.pathname = `/${name}`;
  await sql(
    new URL('/postgres', template).href,
    `CREATE DATABASE "${name}" TEMPLATE "${new URL(template).pathname.slice(1)}"`,
  );
  url = copy.href;
  try {
    await sql(
      url,
      'ALTER TABLE es.events DISABLE TRIGGER ALL',
      ...statements,
      'ALTER TABLE es.events ENABLE TRIGGER ALL',
    );
    return await verifyLedger({ pgUrl: url, ledger: 'control', checkpointFiles: [checkpointFile], keys: keys() });
  } finally {
    await dropDatabase(url);
  }
}

/** What was found, as `kind@position`. */
const found = (report: VerifyReport, name?: string): string[] =>
  report.checks
    .filter((check) => name === undefined || check.name === name)
    .flatMap(({ findings }) => findings.map(({ kind, position }) => `${kind}@${String(position)}`));

const runs = { numRuns: 6 };
const positions = () => fc.integer({ min: 1, max: events.length });
const inside = () => fc.integer({ min: 2, max: events.length - 4 });

/** Moves a whole tail by some positions, from the far end so that no two meet. */
const move = (from: number, by: number): string[] => [
  `UPDATE es.events SET position = position + 1000000 WHERE position >= ${String(from)}`,
  `UPDATE es.events SET position = position - 1000000 + ${String(by)} WHERE position >= 1000000`,
];

/** What somebody does who knows the rules: edits an event, then makes all ids and hashes after it fit. */
function rewritten(from: number): string[] {
  let previous = events[from - 2]?.hash ?? GENESIS_HASH;
  const statements = events.slice(from - 1).map((event) => {
    const before = Buffer.from(previous, 'hex');
    const eventId = eventIdAfter(before, event.ledger, event.position);
    const actor = event.position === from ? { name: 'nobody' } : event.metadata.actor;
    const changed = { ...event, eventId, metadata: { ...event.metadata, actor } };
    previous = eventHash(before, changed).toString('hex');
    const text = canonicalJson(changed.metadata).replaceAll("'", "''");
    return `UPDATE es.events SET event_id = '${eventId}', metadata = '${text}', hash = decode('${previous}', 'hex')
            WHERE position = ${String(event.position)}`;
  });
  return [...statements, `UPDATE es.heads SET hash = decode('${previous}', 'hex')`];
}

describe('brickyard audit verify', () => {
  it('finds an untouched log fine and says what it looked at', async () => {
    const report = await tampered();
    expect(report).toMatchObject({ ok: true, head: { position: events.length } });
    const said = Object.fromEntries(report.checks.map((check) => [check.name, check.said]));
    expect(said['chain']).toContain(`${String(events.length)} events`);
    expect(said['snapshots']).toContain(`${String(checkpoints.length)} of ${FOLD_VERSION}`);
    expect(said['checkpoints']).toContain(`vouched for up to position ${String(checkpoints.at(-1)?.position)}`);
    expect(said['checkpoints']).toContain('by 1 trusted key(s) and the 2 they handed over to');
    expect(said['decisions']).toContain('6 placements');
  });

  it.each([
    ['data', `data = '{"made":"up"}'`],
    ['data by one blank', `data = (replace(data::text, ':', ': '))::json`],
    ['the actor', `metadata = (replace(metadata::text, 'admin', 'nobody'))::json`],
    ['the time', `recorded_at = recorded_at + interval '1 microsecond'`],
    ['the type', `type = type || 'X'`],
    ['the id', 'event_id = gen_random_uuid()'],
  ])('names an event whose %s was edited', async (_, change) => {
    await fc.assert(
      fc.asyncProperty(positions(), async (position) => {
        const report = await tampered(`UPDATE es.events SET ${change} WHERE position = ${String(position)}`);
        expect(report.ok).toBe(false);
        expect(found(report, 'chain')).toEqual([`edited@${String(position)}`]);
      }),
      { numRuns: 3 },
    );
  });

  it('names deleted events, with the gap left or closed', async () => {
    await fc.assert(
      fc.asyncProperty(inside(), fc.boolean(), async (position, close) => {
        const report = await tampered(
          `DELETE FROM es.events WHERE position = ${String(position)}`,
          ...(close ? move(position + 1, -1) : []),
        );
        expect(found(report, 'chain')).toContain(`deleted@${String(position)}`);
        expect(found(report, 'chain').every((text) => /^(deleted|stream)@/.test(text))).toBe(true);
      }),
      runs,
    );
  });

  it('names an inserted event, in the middle and after the end', async () => {
    const insert = (position: number): string =>
      `INSERT INTO es.events SELECT ledger, ${String(position)}, 'volume-made-up', 1, gen_random_uuid(), type, schema_version,
         data, metadata, recorded_at, sha256('made up') FROM es.events WHERE position = 1`;
    await fc.assert(
      fc.asyncProperty(inside(), async (position) => {
        const report = await tampered(
          ...move(position, 1),
          insert(position),
          'UPDATE es.heads SET position = position + 1',
        );
        expect(found(report, 'chain')).toContain(`inserted@${String(position)}`);
      }),
      runs,
    );
    const after = await tampered(insert(events.length + 1));
    expect(found(after, 'chain')).toContain(`inserted@${String(events.length + 1)}`);
  });

  it('names two exchanged events', async () => {
    await fc.assert(
      fc.asyncProperty(positions(), positions(), async (one, other) => {
        fc.pre(one < other);
        const report = await tampered(
          `UPDATE es.events SET position = 1000000 WHERE position = ${String(one)}`,
          `UPDATE es.events SET position = ${String(one)} WHERE position = ${String(other)}`,
          `UPDATE es.events SET position = ${String(other)} WHERE position = 1000000`,
        );
        expect(found(report, 'chain')).toContain(`reordered@${String(one)}`);
      }),
      runs,
    );
  });

  it('names a tail cut off, also when the record of the end and the checkpoints in the table were cut alike', async () => {
    await fc.assert(
      fc.asyncProperty(inside(), async (last) => {
        const cut = `DELETE FROM es.events WHERE position > ${String(last)}`;
        expect(found(await tampered(cut), 'chain')).toContain(`truncated@${String(last + 1)}`);
        const report = await tampered(
          cut,
          `UPDATE es.heads SET position = e.position, hash = e.hash FROM es.events e WHERE e.position = ${String(last)}`,
          `DELETE FROM es.checkpoints WHERE position > ${String(last)}`,
          `DELETE FROM es.snapshots WHERE position > ${String(last)}`,
        );
        expect(found(report, 'witnesses')).toContain(`truncated@${String(last + 1)}`); // The answers remember.
        if (last >= (checkpoints.at(-1)?.position ?? 0)) return;
        expect(found(report, 'checkpoints')).toContain(`checkpoint-beyond-end@${String(last + 1)}`);
      }),
      runs,
    );
  });

  it('names the stretch in which history was rewritten, every id and hash made to fit', async () => {
    const [first, second] = checkpoints;
    if (first === undefined || second === undefined) throw new Error('there are too few checkpoints');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: first.position + 1, max: second.position }), async (position) => {
        const report = await tampered(...rewritten(position));
        expect(found(report, 'chain')).toEqual([]);
        expect(found(report, 'checkpoints')).toContain(`checkpoint-mismatch@${String(second.position)}`);
        const told = report.checks.flatMap(({ findings }) => findings.map(({ detail }) => detail)).join();
        expect(told).toContain(`rewritten after position ${String(first.position)}`);
      }),
      { numRuns: 3 },
    );
  });

  it('names a checkpoint that was forged, or signed by somebody else', async () => {
    const [first] = checkpoints;
    if (first === undefined) throw new Error('there is no checkpoint');
    const { position, hash, at } = first;
    const foreign = generateKeyPairSync('ed25519').privateKey;
    const forged = signCheckpoint({ ledger: 'control', position, hash, at }, foreign);
    const where = `WHERE position = ${String(position)}`;
    const changed = await tampered(`UPDATE es.checkpoints SET hash = sha256('another history') ${where}`);
    expect(found(changed, 'checkpoints')).toContain(`checkpoint-forged@${String(position)}`);
    const signature = Buffer.from(forged.signature, 'base64').toString('hex');
    const set = `UPDATE es.checkpoints SET signature = decode('${signature}', 'hex')`;
    expect(found(await tampered(`${set} ${where}`), 'checkpoints')).toEqual([`checkpoint-forged@${String(position)}`]);
    const signed = await tampered(`${set}, key_id = '${forged.keyId}' ${where}`);
    expect(found(signed, 'checkpoints')).toEqual([`checkpoint-forged@${String(position)}`]);
  });

  it('names checkpoints exchanged, deleted, and a file that was cut', async () => {
    const [first, second] = checkpoints.map(({ position }) => String(position));
    const swapped = await tampered(
      `UPDATE es.checkpoints SET position = -1 WHERE position = ${first ?? ''}`,
      `UPDATE es.checkpoints SET position = ${first ?? ''} WHERE position = ${second ?? ''}`,
      `UPDATE es.checkpoints SET position = ${second ?? ''} WHERE position = -1`,
    );
    expect(found(swapped, 'checkpoints')).toEqual(
      expect.arrayContaining([`checkpoint-forged@${first ?? ''}`, `checkpoint-forged@${second ?? ''}`]),
    );
    const deleted = await tampered(`DELETE FROM es.checkpoints WHERE position = ${second ?? ''}`);
    expect(found(deleted)).toEqual([`checkpoint-missing@${second ?? ''}`]);
    const cut = join(folder, 'cut');
    await writeFile(
      cut,
      `${handOvers.map(handOverLine).join('')}${checkpoints.slice(1).map(checkpointLine).join('')}half a li`,
    );
    const report = await verifyLedger({ pgUrl: template, ledger: 'control', checkpointFiles: [cut], keys: keys() });
    expect(found(report)).toEqual([`checkpoint-broken@0`, `checkpoint-missing@${first ?? ''}`]);
  });

  it('names a hand-over that was taken out, exchanged or forged, and the checkpoints nobody vouches for then', async () => {
    const [one, two] = handOvers;
    if (one === undefined || two === undefined) throw new Error('there are too few hand-overs');
    const at = (handOver: HandOver): string => String(handOver.position);
    const last = `DELETE FROM es.hand_overs WHERE number = 2`;
    expect(found(await tampered(last))).toEqual([`hand-over-missing@${at(two)}`]); // The file has it.
    const bare = join(folder, 'bare');
    await writeFile(bare, checkpoints.map(checkpointLine).join(''));
    const orphans = checkpoints.slice(2).map(({ position }) => `checkpoint-forged@${String(position)}`);
    const cut = found(await tamperedWith(bare, last), 'checkpoints');
    expect([...new Set(cut)]).toEqual([`hand-over-missing@${at(one)}`, ...orphans]);
    const first = await tamperedWith(bare, 'DELETE FROM es.hand_overs WHERE number = 1');
    expect(found(first, 'checkpoints')).toEqual(
      expect.arrayContaining([`hand-over-missing@${at(two)}`, `hand-over-forged@${at(two)}`, ...orphans]),
    );
    const swapped = await tampered(
      'UPDATE es.hand_overs SET number = 9 WHERE number = 1',
      'UPDATE es.hand_overs SET number = 1 WHERE number = 2',
      'UPDATE es.hand_overs SET number = 2 WHERE number = 9',
    );
    expect(found(swapped, 'checkpoints')).toEqual([`hand-over-reordered@${at(one)}`]);
    const forged = await tampered(
      `UPDATE es.hand_overs SET record = replace(record, '"position":${at(two)}', '"position":${String(two.position + 1)}') WHERE number = 2`,
    );
    expect(found(forged, 'checkpoints')).toContain(`hand-over-forged@${String(two.position + 1)}`);
    const { hash, position } = two;
    const thief = generateKeyPairSync('ed25519').privateKey;
    const end = { ledger: 'control', position, hash, at: '2026-01-01T00:00:00.000Z' };
    const stolen = signHandOver(end, two, { old: signer(0), fresh: thief }); // With the key that had retired.
    const record = handOverLine(stolen).trimEnd();
    const report = await tampered(`INSERT INTO es.hand_overs VALUES ('control', 3, '${record}')`);
    expect(found(report, 'checkpoints')).toContain(`hand-over-forged@${String(position)}`);
  });

  it('names a key that goes on signing after it has handed over', async () => {
    const last = checkpoints.at(-1);
    if (last === undefined) throw new Error('there is no checkpoint');
    const { position, hash, at } = last;
    const late = signCheckpoint({ ledger: 'control', position, hash, at }, signer(0));
    const signature = Buffer.from(late.signature, 'base64').toString('hex');
    const report = await tampered(
      `UPDATE es.checkpoints SET signature = decode('${signature}', 'hex'), key_id = '${late.keyId}' WHERE position = ${String(position)}`,
    );
    expect(found(report, 'checkpoints')).toEqual([`key-retired@${String(position)}`]);
    const told = report.checks.flatMap(({ findings }) => findings.map(({ detail }) => detail)).join();
    expect(told).toContain(`handed over to ${keyIdOf(signer(1))}`);
  });

  it('names a snapshot that is not the fold, a stream recorded otherwise, and a decision that would be another one', async () => {
    const [position] = checkpoints.map((one) => String(one.position));
    const other = await tampered(
      `UPDATE es.snapshots SET position = ${position ?? ''} + 1 WHERE position = ${position ?? ''}`,
    );
    expect(found(other)).toEqual([`snapshot@${String(Number(position) + 1)}`]);
    const stream = await tampered(
      `UPDATE es.streams SET version = version + 1 WHERE stream_id = '${events[0]?.streamId ?? ''}'`,
    );
    expect(found(stream)).toEqual([`stream@${String(events.length)}`]);
    const planned = events.find(({ type }) => type === 'VolumePlanned')?.position ?? 0;
    const moved = await tampered(
      `UPDATE es.events SET data = replace(data::text, '"seed":"', '"seed":"0')::json WHERE position = ${String(planned)}`,
    );
    expect(found(moved, 'decisions')).toEqual([`decision@${String(planned)}`]);
  });

  it('says of what it did not look at that it did not', async () => {
    const report = await verifyLedger({ pgUrl: template, ledger: 'control', checkpointFiles: [] });
    expect(report.ok).toBe(true);
    expect(report.checks.find(({ name }) => name === 'checkpoints')?.said).toContain('signatures NOT checked');
    expect(report.checks.find(({ name }) => name === 'api')).toMatchObject({ done: false });
    await sql(template, `INSERT INTO es.heads VALUES ('another', 0, decode('${GENESIS_HASH}', 'hex'), 1)`);
    const other = await verifyLedger({ pgUrl: template, ledger: 'another', checkpointFiles: [] });
    await sql(template, `DELETE FROM es.heads WHERE ledger = 'another'`);
    expect(other).toMatchObject({ ok: true, head: { position: 0 } });
    expect(other.checks.find(({ name }) => name === 'fold')).toMatchObject({ done: false });
  });

  it('does not find a ledger fine that is not there: its name was misspelt', async () => {
    for (const argv of [
      ['verify', '--pg', template, '--ledger', 'contrl'],
      ['export', '--pg', template, '--ledger', 'contrl', '--out', join(folder, 'none')],
    ]) {
      const ended = await cli('audit', ...argv);
      expect(ended).toMatchObject({ code: EXIT.usage, out: '' });
      expect(ended.err).toContain('this database has no ledger contrl; it has control');
    }
  });

  it('misses a ledger whose every row is gone, when somebody holds a checkpoint of it', async () => {
    const tables = ['events', 'heads', 'streams', 'checkpoints', 'cursors', 'commands', 'snapshots'];
    const report = await tampered(...tables.map((table) => `DELETE FROM es.${table} WHERE ledger = 'control'`));
    expect(found(report)).toContain('checkpoint-beyond-end@1');
  });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function cli(...argv: string[]): Promise<Ended> {
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    env: {},
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

const verifier = (...argv: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, argv, { timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

describe('the command line of the audit', () => {
  it('ends with 0, 1, 2 or 3 as documented', async () => {
    const fine = await cli('audit', 'verify', '--pg', template, '--keys', keys(), '--checkpoints', file());
    expect(fine).toMatchObject({ code: EXIT.fine, err: '' });
    expect(fine.out).toContain('Nothing was tampered with');
    const cut = join(folder, 'empty');
    await writeFile(cut, '');
    const json = await cli('--json', 'audit', 'verify', '--pg', template, '--checkpoints', cut);
    expect(json.code).toBe(EXIT.refused);
    expect(JSON.parse(json.out)).toMatchObject({ ok: false });
    expect(await cli('audit', 'verify')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('--pg') as string,
    });
    expect(await cli('audit', 'verify', '--pg', 'postgresql://nobody@127.0.0.1:1/none')).toMatchObject({
      code: EXIT.unavailable,
    });
    expect(await cli('audit', 'verify', '--pg', template, '--keys', '/nowhere')).toMatchObject({
      code: EXIT.unavailable,
    });
  });

  it('tells what changed between two positions, and who did it, from Postgres', async () => {
    const planned = events.find(({ type }) => type === 'VolumePlanned')?.position ?? 0;
    const created = events.find(({ type }) => type === 'VolumeCreated')?.position ?? 0;
    const { code, out } = await cli('diff', String(planned - 1), String(created), '--pg', template);
    expect(code).toBe(0);
    expect(out).toMatch(/\+ volume f61|\+ volume 0+f61/);
    expect(out).toContain(`by admin: VolumePlanned at ${String(planned)}`);
    expect(out).toMatch(/~ device .*\n {4}free: 104857600 KiB → \d+ KiB/);
    const same = await cli('--json', 'diff', '5', '5', '--pg', template);
    expect(JSON.parse(same.out)).toEqual({ from: 5, to: 5, changes: [] });
    expect(await cli('diff', '5', '4', '--pg', template)).toMatchObject({ code: EXIT.usage });
    expect(await cli('diff', '5', '999999', '--pg', template)).toMatchObject({ code: EXIT.usage });
  });
});

describe('brickyard audit rotate-key', () => {
  it('makes the next key for its owner alone, and says that no allocator let it follow', async () => {
    const key = join(folder, 'rotated.pem');
    await ensureSigningKey(key);
    const argv = ['audit', 'rotate-key', '--pg', template, '--key', key, '--wait-seconds', '0'];
    const first = await cli(...argv);
    expect(first).toMatchObject({ code: EXIT.unavailable, err: expect.stringContaining('no allocator') as string });
    expect((await stat(`${key}.next`)).mode & 0o777).toBe(0o600);
    expect((await cli(...argv)).err).toBe(first.err); // The same key waits.
  });

  it('refuses a key that is missing, or that has handed over elsewhere', async () => {
    const rotate = (key: string) => cli('audit', 'rotate-key', '--pg', template, '--key', key, '--wait-seconds', '0');
    expect(await rotate(join(folder, 'nowhere.pem'))).toMatchObject({
      code: EXIT.unavailable,
      err: expect.stringContaining('no key that could hand over') as string,
    });
    const retired = await rotate(join(folder, 'key.pem'));
    expect(retired).toMatchObject({
      code: EXIT.unavailable,
      err: expect.stringContaining('has handed over to') as string,
    });
    await expect(stat(join(folder, 'key.pem.next'))).rejects.toThrow('ENOENT');
  });
});

describe('brickyard audit export', () => {
  const bundle = (): string => join(folder, 'bundle.ndjson');
  let lines: string[];

  beforeAll(async () => {
    const { code, out } = await cli('audit', 'export', '--pg', template, '--out', bundle(), '--keys', keys());
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${String(events.length)} events`) as string,
    });
    lines = (await readFile(bundle(), 'utf8')).split('\n');
  });

  const check = async (changed: readonly string[], ...more: string[]): Promise<Ended> => {
    const copy = join(folder, 'changed.ndjson');
    await writeFile(copy, changed.join('\n'));
    return verifier(join(folder, 'verify-bundle.mjs'), copy, ...more);
  };

  it('makes a bundle that its own verifier finds fine, with the keys inside or with trusted ones', async () => {
    expect(await check(lines)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('FINE') as string });
    expect(await check(lines, '--keys', keys())).toMatchObject({ code: 0 });
    const foreign = join(folder, 'foreign.pub');
    const { publicKey } = generateKeyPairSync('ed25519');
    await writeFile(foreign, publicKey.export({ type: 'spki', format: 'pem' }));
    expect(await check(lines, '--keys', foreign)).toMatchObject({
      code: 1,
      err: expect.stringContaining('not trusted') as string,
    });
    expect(createPublicKey(await readFile(keys(), 'utf8')).asymmetricKeyType).toBe('ed25519');
  });

  it('makes a bundle whose verifier follows the hand-overs, and names what was done to them', async () => {
    const isHandOver = (line: string): boolean => line.includes('"kind":"hand-over"');
    const handed = lines.flatMap((line, index) => (isHandOver(line) ? [index] : []));
    expect(handed).toHaveLength(2);
    const [one = 0, two = 0] = handed;
    const fine = await check(lines, '--keys', keys());
    expect(fine).toMatchObject({ code: 0, out: expect.stringContaining('2 hand-overs') as string });
    expect(fine.out).toContain(`vouched for up to position ${String(checkpoints.at(-1)?.position)} by trusted keys`);
    /** The counts made to fit, as somebody would who knows the format. */
    const recounted = (changed: readonly string[]): string[] =>
      changed.map((line) =>
        line.replace(/"handOvers":\d+,"checkpoints":\d+/, () => {
          const count = (kind: string): string =>
            String(changed.filter((one) => one.includes(`"kind":"${kind}"`)).length);
          return `"handOvers":${count('hand-over')},"checkpoints":${count('checkpoint')}`;
        }),
      );
    const wrong = async (changed: readonly string[], ...told: string[]): Promise<void> => {
      const { code, err } = await check(recounted(changed), '--keys', keys());
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('WRONG') as string });
      for (const text of told) expect(err).toContain(text);
    };
    await wrong(
      lines.filter((_, index) => index !== two),
      'no trusted key handed over to',
    );
    await wrong(
      lines.filter((_, index) => index !== one),
      'stands after number 0',
      'no trusted key handed over to',
    );
    await wrong(
      lines.map((line, index) => (index === one ? (lines[two] ?? '') : index === two ? (lines[one] ?? '') : line)),
      'stands after number 2',
    );
    await wrong(
      lines.map((line, index) => (index === two ? line.replace('"at":"2026', '"at":"2027') : line)),
      'the signature is not that of key',
    );
    const { position, hash, at } = checkpoints.at(-1) ?? { position: 0, hash: '', at: '' };
    const late = signCheckpoint({ ledger: 'control', position, hash, at }, signer(0));
    const place = lines.findIndex(
      (line) => line.includes('"kind":"checkpoint"') && line.includes(`"position":${String(position)},`),
    );
    await wrong(
      lines.map((line, index) => (index === place ? JSON.stringify({ kind: 'checkpoint', ...late }) : line)),
      `to ${String(handOvers[0]?.position)} only`,
    );
  });

  it('makes a bundle of a part, which begins with the hash before it', async () => {
    const part = join(folder, 'part.ndjson');
    expect(
      await cli('audit', 'export', '--pg', template, '--out', part, '--keys', keys(), '--from', '20', '--to', '60'),
    ).toMatchObject({ code: 0 });
    const [header] = (await readFile(part, 'utf8')).split('\n');
    expect(JSON.parse(header ?? '')).toMatchObject({ from: 20, to: 60, boundaryHash: events[18]?.hash });
    expect(await verifier(join(folder, 'verify-bundle.mjs'), part)).toMatchObject({ code: 0 });
    const [, second] = checkpoints;
    const [from, to] = [(second?.position ?? 0) + 1, events.length].map(String) as [string, string];
    const late = ['--pg', template, '--out', part, '--keys', keys(), '--from', from, '--to', to];
    expect(await cli('audit', 'export', ...late)).toMatchObject({ code: 0 }); // Its keys came into office before it.
    expect(await verifier(join(folder, 'verify-bundle.mjs'), part, '--keys', keys())).toMatchObject({
      code: 0,
      out: expect.stringContaining(`vouched for up to position ${String(checkpoints.at(-1)?.position)}`) as string,
    });
    expect(await cli('audit', 'export', '--pg', template, '--out', part, '--to', '999999')).toMatchObject({
      code: EXIT.usage,
    });
  });

  it('makes a bundle in which every change is found', async () => {
    const at = fc.integer({ min: 1, max: events.length });
    const ways: [string, (place: number) => string[]][] = [
      [
        'edited',
        (place) =>
          lines.map((line, index) =>
            index === place ? line.replace('"actor":{"name":"admin"', '"actor":{"name":"x"') : line,
          ),
      ],
      ['deleted', (place) => lines.filter((_, index) => index !== place)],
      ['repeated', (place) => lines.flatMap((line, index) => (index === place ? [line, line] : [line]))],
      ['not JSON', (place) => lines.map((line, index) => (index === place ? line.slice(1) : line))],
      ['cut off', (place) => lines.slice(0, place)],
      [
        'exchanged',
        (place) => [...lines.slice(0, place), lines[place + 1] ?? '', lines[place] ?? '', ...lines.slice(place + 2)],
      ],
    ];
    await fc.assert(
      fc.asyncProperty(at, fc.constantFrom(...ways), async (place, [, change]) => {
        expect(await check(change(place))).toMatchObject({ code: 1, err: expect.stringContaining('WRONG') as string });
      }),
      { numRuns: 15 },
    );
    const forged = lines.map((line) =>
      line.includes('"checkpoint"') ? line.replace(/"at":"2026/, '"at":"2027') : line,
    );
    expect(await check(forged)).toMatchObject({ code: 1, err: expect.stringContaining('signature') as string });
  });

  it('has a verifier that knows the hashes of the first ledger ever written', async () => {
    const vectors = [
      ['1674d1ec-43ab-8546-b5d5-7062d288fd06', '99e30305f56c42017338ef2be4f7286bafd9be2d3b965ad527bfa11dfd7506a4'],
      ['4c94221f-32ae-8ab5-80f9-72b9ba399de2', '8bfe5566b96ab426fa3ced5b5ce683ab2ca20961870141d6a59aa44f50ab09cf'],
      ['d45c87fe-94e5-80ae-b0ad-4ca1be8ee5c5', '4c01dee27091b64dab7db10f03cef1219f5030cb4f98ce62da0d7941c2f99d37'],
    ] as const;
    const made = vectors.map(([eventId, hash], index) => ({
      kind: 'event',
      position: index + 1,
      streamId: `volume-${String(index)}`,
      streamVersion: 1,
      eventId,
      type: 'VolumePlanned',
      version: 1,
      data: { index },
      metadata: { correlationId: 'r-1', actor: { name: 'admin', role: 'admin' }, commandId: `c-${String(index)}` },
      recordedAt: new Date(1_700_000_000_000 + index).toISOString(),
      hash,
    }));
    const header = {
      kind: 'header',
      format: 'brickyard-audit-1',
      ledger: 'control',
      from: 1,
      to: 3,
      boundaryHash: '0'.repeat(64),
      keys: [],
    };
    const footer = { kind: 'footer', events: 3, checkpoints: 0, headHash: vectors[2][1] };
    expect(await check([header, ...made, footer].map((line) => JSON.stringify(line)))).toMatchObject({
      code: 0,
      err: '',
    });
  });
});
