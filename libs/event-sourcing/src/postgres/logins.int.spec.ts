/** What somebody who holds the password of a service can do to the log, tried. */
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import { Client } from 'pg';
import { connectionConfig } from './connection';
import { ensureLogins } from './logins';
import { ensureSchema, migrate } from './migrate';
import { openLedgerReader } from './ledger-reader';

const LEDGER = 'control';
/** Roles belong to the whole server, which other specs use at the same time. */
const own = `spec_${process.pid.toString(36)}`;
const logins = [
  { name: `${own}_reader`, password: `it's "secret"`, role: 'reader' },
  { name: `${own}_writer`, password: 'w', role: 'writer' },
] as const;

describe('logins of the log', () => {
  let owner: string;
  const open: Client[] = [];
  const urlOf = (login: (typeof logins)[number]): string => {
    const url = new URL(owner);
    url.username = login.name;
    url.password = login.password;
    return url.href;
  };
  const connect = async (config: ConstructorParameters<typeof Client>[0]): Promise<Client> => {
    const client = new Client(config);
    client.on('error', () => undefined);
    await client.connect();
    open.push(client);
    return client;
  };

  beforeAll(async () => {
    owner = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '');
    await migrate(owner);
    await ensureLogins(owner, logins);
    await ensureLogins(owner, logins);
    const client = await connect(connectionConfig(owner, 'writer', {}));
    await client.query(
      `INSERT INTO es.events VALUES ('control', 1, 's', 1, gen_random_uuid(), 'T', 1, '{}', '{}', now(), sha256(''))`,
    );
  });

  afterAll(async () => {
    await Promise.all(open.map((client) => client.end()));
    const admin = new Client({ connectionString: owner });
    await admin.connect();
    for (const { name } of logins) await admin.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
    await admin.end();
    await dropDatabase(owner);
  });

  it('let a reader read and a writer write', async () => {
    const reader = openLedgerReader({ url: urlOf(logins[0]), ledger: LEDGER });
    const seen = [];
    for await (const events of reader.read({ after: 0 })) seen.push(...events);
    await reader.close();
    expect(seen).toHaveLength(1);
    const writer = openLedgerReader({ url: urlOf(logins[1]), ledger: LEDGER, role: 'writer' });
    await writer.moveCursor('spec', 1);
    expect(await writer.cursor('spec')).toBe(1);
    await writer.close();
  });

  it('let a writer find the schema up to date without owning it', async () => {
    await expect(ensureSchema(urlOf(logins[1]))).resolves.toBeUndefined();
  });

  const INSERT = `INSERT INTO es.events SELECT ledger, position + 1, stream_id, stream_version + 1, gen_random_uuid(), type, 1, data, metadata, now(), hash FROM es.events LIMIT 1`;
  const LOCK = `SELECT pg_try_advisory_lock(hashtextextended('brickyard/ledger/control', 0))`;

  it.each([
    ['reader', 'append an event', INSERT],
    ['reader', 'change an event', `UPDATE es.events SET data = '{"a":1}'`],
    ['reader', 'delete an event', 'DELETE FROM es.events'],
    ['reader', 'empty the log', 'TRUNCATE es.events'],
    ['reader', 'move the head', 'UPDATE es.heads SET position = 0'],
    ['reader', 'move a cursor', `INSERT INTO es.cursors VALUES ('control', 'relay-control', 99)`],
    ['reader', 'plant a snapshot', `INSERT INTO es.snapshots VALUES ('control', 'v', 1, 0, '')`],
    ['reader', 'take the lead', LOCK],
    ['reader', 'become a writer', 'SET ROLE brickyard_writer'],
    ['reader', 'make a table', 'CREATE TABLE es.mine (a int)'],
    ['writer', 'change an event', `UPDATE es.events SET data = '{"a":1}'`],
    ['writer', 'delete an event', 'DELETE FROM es.events'],
    ['writer', 'empty the log', 'TRUNCATE es.events'],
    ['writer', 'change an answer that was given', `UPDATE es.commands SET result = '{}'`],
    ['writer', 'delete a signed head', 'DELETE FROM es.checkpoints'],
    ['writer', 'take the guards away', 'ALTER TABLE es.events DISABLE TRIGGER ALL'],
    ['writer', 'drop the log', 'DROP TABLE es.events'],
    ['writer', 'run a program', `COPY es.events TO PROGRAM 'true'`],
    ['owner', 'change an event', `UPDATE es.events SET data = '{"a":1}'`],
    ['owner', 'delete an event', 'DELETE FROM es.events'],
    ['owner', 'empty the log', 'TRUNCATE es.events'],
  ])('do not let a %s %s', async (who, _, sql) => {
    const login = who === 'reader' ? logins[0] : logins[1];
    const client = await connect(
      who === 'owner' ? owner : connectionConfig(urlOf(login), who === 'reader' ? 'reader' : 'writer', {}),
    );
    await expect(client.query(sql)).rejects.toThrow(/permission denied|must be owner|append only|must be superuser/);
    const { rows } = await client.query('SELECT position, data FROM es.events');
    expect(rows).toEqual([{ position: '1', data: {} }]);
  });

  it('give nothing to a session that does not say what it wants to be', async () => {
    const client = await connect({ connectionString: urlOf(logins[0]) });
    await expect(client.query('SELECT * FROM es.events')).rejects.toThrow('permission denied');
  });

  it('keep other logins of the server out of the database', async () => {
    const stranger = `${own}_stranger`;
    const admin = await connect({ connectionString: owner });
    await admin.query(`CREATE ROLE ${stranger} LOGIN PASSWORD 's'`);
    try {
      const url = new URL(owner);
      url.username = stranger;
      url.password = 's';
      await expect(connect({ connectionString: url.href })).rejects.toThrow('permission denied for database');
    } finally {
      await admin.query(`DROP ROLE ${stranger}`);
    }
  });
});
