import type { Command } from 'commander';
import { z } from 'zod';
import { exportBundle } from '../audit/export';
import { rotateKey } from '../audit/rotate-key';
import { verifyLedger, type Check, type VerifyReport } from '../audit/verify';
import { Context } from '../context';
import { EXIT, UsageError } from '../exit-codes';
import { pictureFromApi } from '../picture/api-picture';
import { act, WholeNumber, type Shell } from './act';

const VerifyFlags = z.object({
  pg: z.string().optional(),
  ledger: z.string().default('control'),
  checkpoints: z.array(z.string()).default([]),
  keys: z.string().optional(),
  api: z.string().optional(),
});
const ExportFlags = z.object({
  pg: z.string().optional(),
  ledger: z.string().default('control'),
  out: z.string(),
  keys: z.string().optional(),
  from: WholeNumber.optional(),
  to: WholeNumber.optional(),
});

const RotateFlags = z.object({
  pg: z.string().optional(),
  ledger: z.string().default('control'),
  key: z.string(),
  waitSeconds: WholeNumber.default(150),
});

/** Where Postgres is: the flag, else the environment. */
export function pgUrlFrom(flag: string | undefined, { outside }: Context): string {
  const url = flag ?? outside.env['BRICKYARD_PG_URL'] ?? '';
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new UsageError(url === '' ? 'no database: give --pg URL or set BRICKYARD_PG_URL' : 'not a URL of Postgres');
}

/** Where the trusted public keys are: the flag, else the environment. */
export function keysFrom(flag: string | undefined, { outside }: Context): { readonly keys?: string } {
  const keys = flag ?? outside.env['BRICKYARD_CHECKPOINT_KEYS'] ?? '';
  return keys === '' ? {} : { keys };
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function checkLines({ name, said, done, findings }: Check): string[] {
  const verdict = findings.length > 0 ? 'WRONG' : done ? 'ok' : '-';
  return [
    `${verdict.padEnd(6)}${name.padEnd(13)}${said}`,
    ...findings.map(({ kind, position, detail }) => `         position ${String(position)}, ${kind}: ${detail}`),
  ];
}

function reportLines({ ledger, head, ok, checks, tookMs }: VerifyReport): string[] {
  const seconds = tookMs / 1_000;
  const rate = Math.round(head.position / Math.max(seconds, 0.001));
  return [
    `Ledger ${ledger}, ${String(head.position)} events, head ${head.hash}`,
    ...checks.flatMap(checkLines),
    ok ? 'Nothing was tampered with, as far as was checked.' : 'THE LOG IS NOT WHAT IT SHOULD BE.',
    `${seconds.toFixed(1)} s, ${String(rate)} events/s`,
  ];
}

/** The API as of a position: with the user and key that go for every command. */
function apiPictureFrom(url: string, context: Context) {
  const api = new Context(context.outside, { ...context.options, server: url });
  return async (position: number) => {
    try {
      return await pictureFromApi(api, String(position));
    } finally {
      api.close();
    }
  };
}

/** `brickyard audit …`. */
export function auditCommands(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('prove what the log says');
  const verify = audit
    .command('verify')
    .description('check the whole log: hashes, signatures, snapshots, decisions; names what was tampered with')
    .option('--pg <url>', 'Postgres; BRICKYARD_PG_URL when absent')
    .option('--ledger <name>', 'which log', 'control')
    .option('--checkpoints <file>', 'a file of signed checkpoints; may be repeated', several)
    .option('--keys <path>', 'trusted public keys: a PEM file or a folder; BRICKYARD_CHECKPOINT_KEYS when absent')
    .option('--api <url>', 'also compare what this gateway shows');
  act(shell, verify, VerifyFlags, async (context, _, { pg, ledger, checkpoints, keys, api }) => {
    const report = await verifyLedger({
      pgUrl: pgUrlFrom(pg, context),
      ledger,
      checkpointFiles: checkpoints,
      ...keysFrom(keys, context),
      ...(api === undefined ? {} : { apiPicture: apiPictureFrom(api, context) }),
    });
    context.print(report, () => reportLines(report));
    return report.ok ? EXIT.fine : EXIT.refused;
  });
  const bundle = audit
    .command('export')
    .description('write a part of the log to a file that can be checked anywhere')
    .requiredOption('--out <file>', 'the bundle; its verifier is put beside it')
    .option('--pg <url>', 'Postgres; BRICKYARD_PG_URL when absent')
    .option('--ledger <name>', 'which log', 'control')
    .option('--keys <path>', 'public keys to put in: a PEM file or a folder; BRICKYARD_CHECKPOINT_KEYS when absent')
    .option('--from <position>', 'first event; 1 when absent')
    .option('--to <position>', 'last event; the end when absent');
  act(shell, bundle, ExportFlags, async (context, _, { pg, ledger, out, keys, from, to }) => {
    const report = await exportBundle({
      pgUrl: pgUrlFrom(pg, context),
      ledger,
      out,
      ...keysFrom(keys, context),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    context.print(report, () => [
      `${String(report.events)} events, ${String(report.checkpoints)} checkpoints and ${String(report.handOvers)} hand-overs in ${report.bundle}, head ${report.headHash}`,
      `Check it anywhere: node ${report.verifier} ${report.bundle}`,
    ]);
    return undefined;
  });
  rotateCommand(audit, shell);
}

function rotateCommand(audit: Command, shell: Shell): void {
  const rotate = audit
    .command('rotate-key')
    .description('replace the key that signs checkpoints; the old key signs the new one, and is gone then')
    .requiredOption('--key <file>', 'the private key in use, on the machine of the allocator that leads')
    .option('--pg <url>', 'Postgres; BRICKYARD_PG_URL when absent')
    .option('--ledger <name>', 'which log', 'control')
    .option('--wait-seconds <n>', 'how long to wait for the allocator; 150 when absent');
  act(shell, rotate, RotateFlags, async (context, _, { pg, ledger, key, waitSeconds }) => {
    const pgUrl = pgUrlFrom(pg, context);
    const handOver = await rotateKey({ pgUrl, ledger, keyFile: key, waitMs: waitSeconds * 1_000 });
    const { number, position, from, to } = handOver;
    context.print(handOver, () => [
      `Hand-over ${String(number)} at position ${String(position)}: key ${from} signed key ${to}, and signs nothing any more.`,
      `${key} holds the new key; the public half of the old one stays as ${key}.${from}.pub.`,
      'Who trusts the first key need not do anything. Other machines that hold a copy of the old key need the new one.',
    ]);
    return undefined;
  });
}
