/** `npm run conformance -- --server URL --key SECRET [--user-key SECRET] [--row ID]`: heketi's checklist against any server. */
import { parseArgs } from 'node:util';
import { HeketiServer } from './heketi-server';
import { type Bench, makeSite, type Row, type Site } from './row';
import { elsewhere, rows } from './rows';

const options = {
  server: { type: 'string' },
  user: { type: 'string', default: 'admin' },
  key: { type: 'string' },
  'user-key': { type: 'string' },
  row: { type: 'string', multiple: true },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const url = values.server ?? process.env['HEKETI_CLI_SERVER'];
  const adminKey = values.key ?? process.env['HEKETI_CLI_KEY'];
  if (url === undefined || adminKey === undefined || values.user !== 'admin') {
    process.stderr.write(
      'usage: npm run conformance -- --server URL --user admin --key SECRET [--user-key SECRET] [--row ID]\n',
    );
    return 2;
  }
  const server = new HeketiServer({ url, adminKey, userKey: values['user-key'] ?? process.env['HEKETI_USER_KEY'] });
  let site: Promise<Site> | undefined;
  const bench: Bench = { server, shared: () => (site ??= makeSite(server)) };
  const wanted = values.row;
  const results: string[] = [];
  for (const row of rows) if (wanted === undefined || wanted.includes(row.id)) results.push(await runRow(row, bench));
  for (const [id, where] of Object.entries(elsewhere)) process.stdout.write(`${id.padEnd(8)} -     ${where}\n`);
  const count = (result: string): number => results.filter((one) => one === result).length;
  process.stdout.write(
    `\n${String(count('ok'))} ok, ${String(count('failed'))} failed, ${String(count('skipped'))} skipped\n`,
  );
  server.close();
  return count('failed') === 0 ? 0 : 1;
}

async function runRow(row: Row, bench: Bench): Promise<string> {
  const reason = whyNot(row, bench);
  const trouble = reason === undefined ? await row.run(bench).then(() => undefined, String) : undefined;
  const result = reason === undefined ? (trouble === undefined ? 'ok' : 'failed') : 'skipped';
  process.stdout.write(
    `${row.id.padEnd(8)} ${result.padEnd(8)} ${row.title}${reason === undefined ? '' : `: ${reason}`}\n`,
  );
  if (trouble !== undefined) process.stdout.write(`${trouble.replace(/^/gm, '           ')}\n`);
  return result;
}

function whyNot({ needs }: Row, { server, control }: Bench): string | undefined {
  if (needs === 'control' && control === undefined) return 'needs hands on the hosts; npm test runs it';
  return needs === 'user' && server.address.userKey === undefined ? 'needs --user-key' : undefined;
}

void main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
