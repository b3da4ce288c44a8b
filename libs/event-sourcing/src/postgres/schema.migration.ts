import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Times: recorded_at has milliseconds. Data and metadata are `json`, not `jsonb`: the text is kept as it was hashed, so a
 * replayed object has its keys in the order the live one had, and folding it gives the same bytes.
 */
const TABLES = `
  CREATE TABLE es.heads (
    ledger   text   PRIMARY KEY,
    position bigint NOT NULL,
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32),
    epoch    bigint NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE es.events (
    ledger         text        NOT NULL,
    position       bigint      NOT NULL CHECK (position > 0),
    stream_id      text        NOT NULL CHECK (length(stream_id) BETWEEN 1 AND 500),
    stream_version integer     NOT NULL CHECK (stream_version > 0),
    event_id       uuid        NOT NULL,
    type           text        NOT NULL,
    schema_version integer     NOT NULL,
    data           json        NOT NULL,
    metadata       json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    hash           bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (ledger, position),
    UNIQUE (ledger, stream_id, stream_version)
  );

  CREATE TABLE es.streams (
    ledger        text    NOT NULL,
    stream_id     text    NOT NULL,
    version       integer NOT NULL,
    last_position bigint  NOT NULL,
    PRIMARY KEY (ledger, stream_id)
  ) WITH (fillfactor = 80);

  CREATE TABLE es.commands (
    ledger      text        NOT NULL,
    command_id  text        NOT NULL CHECK (length(command_id) BETWEEN 1 AND 255),
    result      json        NOT NULL,
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (ledger, command_id)
  );

  CREATE TABLE es.cursors (
    ledger     text        NOT NULL,
    name       text        NOT NULL,
    position   bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger, name)
  ) WITH (fillfactor = 50);

  CREATE TABLE es.snapshots (
    ledger       text    NOT NULL,
    fold_version text    NOT NULL,
    position     bigint  NOT NULL,
    chunk_no     integer NOT NULL,
    chunk        bytea   NOT NULL,
    PRIMARY KEY (ledger, fold_version, position, chunk_no)
  );
  ALTER TABLE es.snapshots ALTER COLUMN chunk SET STORAGE EXTERNAL; -- Compressed by us already.

  CREATE TABLE es.checkpoints (
    ledger      text        NOT NULL,
    position    bigint      NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    signature   bytea,
    key_id      text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger, position)
  );
`;

/** Times rise with positions, so the primary key is all the index a search by time needs. */
const POSITION_AT = `
  CREATE FUNCTION es.position_at(wanted_ledger text, moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
  DECLARE
    low bigint := 0;
    high bigint := coalesce((SELECT max(position) FROM es.events WHERE ledger = wanted_ledger), 0);
    middle bigint;
  BEGIN
    WHILE low < high LOOP
      middle := (low + high + 1) / 2;
      IF (SELECT recorded_at <= moment FROM es.events WHERE ledger = wanted_ledger AND position = middle) THEN
        low := middle;
      ELSE
        high := middle - 1;
      END IF;
    END LOOP;
    RETURN low;
  END $$;
`;

/** Against the owner's slips; a superuser can still disable them, and then the hash chain tells. */
const APPEND_ONLY = `
  CREATE FUNCTION es.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'es.events is append only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
  END $$;
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON es.events FOR EACH ROW EXECUTE FUNCTION es.refuse_change();
  CREATE TRIGGER never_emptied BEFORE TRUNCATE ON es.events FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change();
  ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only;
  ALTER TABLE es.events ENABLE ALWAYS TRIGGER never_emptied;
`;

/** Roles are shared by all databases of a server, so another database's migration may make them at the same moment. */
export const createRole = (role: string): string => `
  DO $$ BEGIN
    CREATE ROLE ${role} NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
  END $$;
`;

const GRANTS = `
  REVOKE ALL ON ALL TABLES IN SCHEMA es FROM PUBLIC;
  GRANT USAGE ON SCHEMA es TO brickyard_writer, brickyard_reader;
  GRANT SELECT ON ALL TABLES IN SCHEMA es TO brickyard_writer, brickyard_reader;
  GRANT INSERT ON es.events, es.commands, es.checkpoints TO brickyard_writer;
  GRANT INSERT, UPDATE ON es.heads, es.streams, es.cursors TO brickyard_writer;
  GRANT INSERT, DELETE ON es.snapshots TO brickyard_writer;
`;

/** Creates the log: tables, append-only guards, roles. */
export class CreateEventLog1700000000000 implements MigrationInterface {
  readonly name = 'CreateEventLog1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    const roles = [createRole('brickyard_writer'), createRole('brickyard_reader')];
    for (const sql of [...roles, TABLES, POSITION_AT, APPEND_ONLY, GRANTS]) await runner.query(sql);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('the event log is never dropped by a migration'));
  }
}

/** Where one signing key handed over to the next: the text is kept as it was signed. */
const HAND_OVERS = `
  CREATE TABLE es.hand_overs (
    ledger text   NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    record text   NOT NULL,
    PRIMARY KEY (ledger, number)
  );
  REVOKE ALL ON es.hand_overs FROM PUBLIC;
  GRANT SELECT ON es.hand_overs TO brickyard_writer, brickyard_reader;
  GRANT INSERT ON es.hand_overs TO brickyard_writer;
`;

/** Creates the table of hand-overs. */
export class CreateHandOvers1764200000000 implements MigrationInterface {
  readonly name = 'CreateHandOvers1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(HAND_OVERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE es.hand_overs');
  }
}
