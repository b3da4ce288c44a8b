import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ConfigError, readConfig } from './config';

const Schema = z.object({
  PG_URL: z.url().describe('where Postgres is'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  API_KEY: z.string().min(8, 'needs at least 8 characters').optional(),
});

describe('readConfig', () => {
  it('reads values, fills in defaults and takes an empty variable for an absent one', () => {
    const config = readConfig(Schema, { PG_URL: 'postgres://db/x', PORT: '', API_KEY: '', OTHER: '1' });
    expect(config).toEqual({ PG_URL: 'postgres://db/x', PORT: 8080 });
  });

  it('takes a value from the file that the variable with _FILE names, without its last line break', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'brickyard-config-')), 'key');
    writeFileSync(file, 'from a file\n');
    const url = { PG_URL: 'postgres://db/x' };
    expect(readConfig(Schema, { ...url, API_KEY_FILE: file })).toMatchObject({ API_KEY: 'from a file' });
    expect(readConfig(Schema, { ...url, API_KEY_FILE: file, API_KEY: 'given directly' })).toMatchObject({
      API_KEY: 'given directly',
    });
    rmSync(dirname(file), { recursive: true });
    expect(() => readConfig(Schema, { ...url, API_KEY_FILE: file })).toThrow(
      /API_KEY_FILE: .* cannot be read \(ENOENT\)/,
    );
  });

  it('names every variable at fault and what it should be, and shows no value', () => {
    const read = (): unknown => readConfig(Schema, { PORT: '70000', API_KEY: 'hunter2' });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(/PG_URL: is not set; .*\(where Postgres is\)/);
    expect(read).toThrow(/PORT: .*65535/);
    expect(read).toThrow(/API_KEY: needs at least 8 characters/);
    expect(read).not.toThrow(/hunter2/);
  });
});
