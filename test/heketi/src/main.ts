/** `npm run conformance -- --server URL --key SECRET [--user-key SECRET] [--hosts FILE] [--row ID]`: heketi's checklist against any server. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { HeketiServer } from './heketi-server';
import { hostPool, madeUpHosts, type SpareHost, NotPossibleHere } from './hosts';
import { type Bench, type Row, sharedSite } from './row';
import { elsewhere, rows } from './rows';

const options = {
  server: { type: 'string' },
  user: { type: 'string', default: 'admin' },
  key: { type: 'string' },
  'user-key': { type: 'string' },
  hosts: { type: 'string' },
  row: { type: 'string', multiple: true },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const url = values.server ?? process.env['HEKETI_CLI_SERVER'];
  const adminKey = values.key ?? process.env['HEKETI_CLI_KEY'];
  if (url === undefined || adminKey === undefined || values.user !== 'admin') {
    process.stderr.write(
      'usage: npm run conformance -- --server URL --user admin --key SECRET [--user-key SECRET]\n' +
        '       [--hosts TOPOLOGY.json] [--row ID]\n',
    );
    return 2;
  }
  const address = { url, adminKey, userKey: values['user-key'] ?? process.env['HEKETI_USER_KEY'] };
  const server = new HeketiServer(address, values.hosts === undefined ? madeUpHosts : hostPool(hostsIn(values.hosts)));
  const shared = sharedSite(server);
  const bench: Bench = { server, shared: shared.get };
  const due = rows.filter(({ id }) => values.row?.includes(id) ?? true);
  const [first, last] = [due.filter(({ leaves }) => leaves !== true), due.filter(({ leaves }) => leaves === true)];
  const results: string[] = [];
  for (const row of first) results.push(await runRow(row, bench));
  if (last.length === 0) await shared.giveBack();
  for (const row of last) results.push(await runRow(row, bench));
  for (const [id, proofs] of Object.entries(elsewhere)) {
    for (const { spec, title } of proofs) process.stdout.write(`${id.padEnd(8)} ${'-'.padEnd(8)} ${spec}: ${title}\n`);
  }
  const count = (result: string): number => results.filter((one) => one === result).length;
  process.stdout.write(
    `\n${String(count('ok'))} ok, ${String(count('failed'))} failed, ${String(count('skipped'))} skipped\n`,
  );
  server.close();
  return count('failed') === 0 ? 0 : 1;
}

/** The hosts of a topology file: they must be there, and registered nowhere. */
function hostsIn(file: string): readonly SpareHost[] {
  const { clusters } = JSON.parse(readFileSync(file, 'utf8')) as TopologyFile;
  return clusters
    .flatMap(({ nodes }) => nodes)
    .map(({ node, devices }) => ({
      address: node.hostnames.manage[0] ?? '',
      devices: devices.map((device) => (typeof device === 'string' ? device : device.name)),
    }));
}

interface TopologyFile {
  readonly clusters: readonly {
    readonly nodes: readonly {
      readonly node: { readonly hostnames: { readonly manage: readonly string[] } };
      readonly devices: readonly (string | { readonly name: string })[];
    }[];
  }[];
}

async function runRow(row: Row, bench: Bench): Promise<string> {
  const before = Date.now();
  let reason = whyNot(row, bench);
  let trouble: string | undefined;
  if (reason === undefined) {
    await row.run(bench).catch((error: unknown) => {
      if (error instanceof NotPossibleHere) reason = error.message;
      else trouble = String(error);
    });
  }
  const took = reason === undefined ? ` (${((Date.now() - before) / 1_000).toFixed(1)} s)` : `: ${reason}`;
  const result = reason === undefined ? (trouble === undefined ? 'ok' : 'failed') : 'skipped';
  process.stdout.write(`${row.id.padEnd(8)} ${result.padEnd(8)} ${row.title}${took}\n`);
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
