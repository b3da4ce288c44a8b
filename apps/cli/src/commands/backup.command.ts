/** The log kept in a second place, and put back from there. */
import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { createLogger, createMetrics, describeError, startHealthServer } from '@brickyard/service-host';
import type { Command } from 'commander';
import { join } from 'node:path';
import { z } from 'zod';
import { restoreFrom, type RestoreReport } from '../backup/restore';
import { BackupFolder, openBackup } from '../backup/segments';
import { NotShipped, Shipper } from '../backup/ship';
import { type BackupReport, walkBackup } from '../backup/verify-backup';
import type { Context } from '../context';
import { EXIT, UsageError } from '../exit-codes';
import { act, NoFlags, several, WholeNumber, type Shell } from './act';
import { keysFrom, pgUrlFrom } from './audit.command';

const RunFlags = z.object({
  to: z.string(),
  pg: z.string().optional(),
  ledger: z.array(z.string()).default(['control', 'registry']),
  gzip: z.boolean().default(false),
  every: z.coerce.number().positive().default(1),
  once: z.boolean().default(false),
  metricsPort: WholeNumber.optional(),
  metricsHost: z.string().default('127.0.0.1'),
});
type RunFlags = z.infer<typeof RunFlags>;
const VerifyFlags = z.object({ keys: z.string().optional() });
const RestoreFlags = z.object({
  from: z.string().optional(),
  pg: z.string().optional(),
  keys: z.string().optional(),
  upTo: WholeNumber.optional(),
});

/** Trouble is told again after so long. */
const TELL_AGAIN_MS = 60_000;

/** Copies until it is told to stop; with `--once`, all there is now. */
async function run(context: Context, flags: RunFlags): Promise<void> {
  const pgUrl = pgUrlFrom(flags.pg, context);
  const log = createLogger({ service: 'backup', level: context.outside.env['BRICKYARD_LOG_LEVEL'] ?? 'info' });
  const metrics = backupMetrics();
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
  const health =
    flags.metricsPort === undefined
      ? undefined
      : await startHealthServer({
          port: flags.metricsPort,
          host: flags.metricsHost,
          metrics: metrics.all,
          ready: () => Promise.resolve({ backup: { ok: metrics.isFine() } }),
        });
  const shippers = flags.ledger.map((ledger) => {
    const folder = new BackupFolder(join(flags.to, ledger), ledger);
    return { ledger, shipper: new Shipper({ pgUrl, folder, isZipped: flags.gzip }), toldAt: 0, last: -1 };
  });
  log.info({ to: flags.to, ledgers: flags.ledger, metricsPort: health?.port }, 'copying the log');
  try {
    while (!stopping.signal.aborted) {
      for (const one of shippers) {
        try {
          const lag = await one.shipper.step();
          metrics.told(one.ledger, lag);
          if (lag.position !== one.last) log.debug({ ledger: one.ledger, ...lag }, 'copied');
          one.last = lag.position;
          one.toldAt = 0;
        } catch (error) {
          metrics.failed(one.ledger);
          if (flags.once || error instanceof NotShipped) throw error;
          if (Date.now() - one.toldAt < TELL_AGAIN_MS) continue;
          one.toldAt = Date.now();
          log.warn(
            { ledger: one.ledger, error: describeError(error) },
            'the log cannot be copied now; it is tried again',
          );
        }
      }
      if (flags.once) break;
      await pause(flags.every * 1_000, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    context.print(
      shippers.map(({ ledger, last }) => ({ ledger, position: last })),
      () => shippers.map(({ ledger, last }) => `${ledger}: copied up to position ${String(last)}`),
    );
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, stop);
    await Promise.all(shippers.map(({ shipper }) => shipper.close()));
    await health?.close();
  }
}

function backupMetrics() {
  const all = createMetrics('backup');
  const gauge = (name: string, help: string) => all.gauge({ name, help, labels: ['ledger'] });
  const position = gauge('brickyard_backup_position', 'Last position of the log that the backup holds');
  const events = gauge('brickyard_backup_lag_events', 'Events of the log that the backup lacks');
  const seconds = gauge('brickyard_backup_lag_seconds', 'Age of the first event that the backup lacks');
  const success = gauge(
    'brickyard_backup_last_success_timestamp_seconds',
    'When the backup was last compared with the log',
  );
  const troubled = new Set<string>();
  return {
    all,
    isFine: () => troubled.size === 0,
    told(ledger: string, lag: Awaited<ReturnType<Shipper['step']>>): void {
      position.set({ ledger }, lag.position);
      events.set({ ledger }, lag.events);
      seconds.set({ ledger }, lag.seconds);
      success.set({ ledger }, Date.now() / 1_000);
      troubled.delete(ledger);
    },
    failed(ledger: string): void {
      troubled.add(ledger);
    },
  };
}

function backupLines(reports: readonly BackupReport[]): string[] {
  return reports.flatMap(({ ledger, head, segments, checkpoints, vouchedUpTo, findings }) => [
    `${findings.length === 0 ? 'ok    ' : 'WRONG '} ${ledger}: ${String(head.position)} events in ${String(segments)} files, head ${head.hash}`,
    `       ${String(checkpoints.length)} checkpoints${vouchedUpTo === 0 ? '' : `; a trusted key vouches up to position ${String(vouchedUpTo)}`}`,
    ...findings.map(({ kind, position, detail }) => `       position ${String(position)}, ${kind}: ${detail}`),
  ]);
}

function restoreLines({ ledgers, findings }: RestoreReport): string[] {
  if (findings.length > 0) {
    return [
      'NOTHING WAS RESTORED: the backup is not what it should be.',
      ...findings.map((one) => `  ${one.ledger}, position ${String(one.position)}, ${one.kind}: ${one.detail}`),
    ];
  }
  return [
    ...ledgers.map(({ ledger, head }) => `${ledger}: restored, ends at position ${String(head.position)}`),
    'Start the allocator: it asks nothing of any host until log and hosts were compared. See `brickyard restore status`.',
  ];
}

const Status = z.object({
  held: z.boolean(),
  since: z.string().optional(),
  source: z.string().optional(),
  restoredUpTo: z.int().optional(),
  confirmed: z.boolean().optional(),
  differences: z.int(),
  nodes: z.array(z.object({ id: z.string(), host: z.string(), heard: z.boolean() })),
});
type Status = z.infer<typeof Status>;

function statusLines({ held, since, source, restoredUpTo, differences, nodes }: Status): string[] {
  if (!held) return ['The log is not held back: hosts are asked as usual.'];
  const silent = nodes.filter(({ heard }) => !heard).map(({ host }) => host);
  return [
    `Held back since ${since ?? ''}: restored from ${source ?? ''} up to position ${String(restoredUpTo ?? 0)}`,
    `  hosts compared  ${String(nodes.length - silent.length)} of ${String(nodes.length)}${silent.length === 0 ? '' : `; no word from ${silent.join(', ')}`}`,
    `  differences     ${String(differences)}${differences === 0 ? '' : ': brickyard drift list'}`,
    '  It goes on by itself when every host was compared and nothing differs; `brickyard restore confirm` goes on now.',
  ];
}

/** `brickyard backup …` and `brickyard restore …`. */
export function backupCommands(program: Command, shell: Shell): void {
  const backup = program.command('backup').description('keep a copy of the log in a folder');
  const running = backup
    .command('run')
    .description('copy the log into a folder as it grows, until stopped')
    .requiredOption('--to <folder>', 'where the copy lies; it goes on where it was')
    .option('--pg <url>', 'Postgres; BRICKYARD_PG_URL when absent')
    .option('--ledger <name>', 'which log; may be repeated; control and registry when absent', several)
    .option('--gzip', 'compress what is written from now on')
    .option('--every <seconds>', 'pause between two looks', '1')
    .option('--once', 'copy what there is, and end')
    .option('--metrics-port <port>', 'serve /metrics and /health; 0 takes a free port')
    .option('--metrics-host <address>', 'address they are served on', '127.0.0.1');
  act(shell, running, RunFlags, async (context, _, flags) => {
    await run(context, flags);
    return undefined;
  });
  const verify = backup
    .command('verify')
    .argument('<folder>', 'the copy')
    .description('check a copy without a database: whole, unbroken, vouched for')
    .option('--keys <path>', 'trusted public keys: a PEM file or a folder; BRICKYARD_CHECKPOINT_KEYS when absent');
  act(shell, verify, VerifyFlags, async (context, [path = ''], { keys }) => {
    const reports: BackupReport[] = [];
    for (const folder of await openBackup(path)) reports.push(await walkBackup(folder, keysFrom(keys, context)));
    const told = reports.map(({ streams, checkpoints, handOvers, ...report }) => ({
      ...report,
      streams: streams.size,
      checkpoints: checkpoints.length,
      handOvers: handOvers.length,
    }));
    context.print(told, () => backupLines(reports));
    return reports.every(({ findings }) => findings.length === 0) ? EXIT.fine : EXIT.refused;
  });
  restoreCommands(program, shell);
}

function restoreCommands(program: Command, shell: Shell): void {
  const restore = program
    .command('restore')
    .description('put the log back from a copy into an empty database; and look how that goes on')
    .option('--from <folder>', 'the copy')
    .option('--pg <url>', 'Postgres, migrated, as a login that may write; BRICKYARD_PG_URL when absent')
    .option('--keys <path>', 'trusted public keys: a PEM file or a folder; BRICKYARD_CHECKPOINT_KEYS when absent')
    .option('--up-to <position>', 'leave out what the control log has after this position');
  act(shell, restore, RestoreFlags, async (context, _, { from, pg, keys, upTo }) => {
    if (from === undefined) throw new UsageError('restore what? give --from FOLDER, or say `restore status`');
    const report = await restoreFrom({
      from,
      pgUrl: pgUrlFrom(pg, context),
      ...keysFrom(keys, context),
      ...(upTo === undefined ? {} : { upTo }),
      actor: `restore by ${userInfo().username}`,
    });
    context.print(report, () => restoreLines(report));
    return report.findings.length === 0 ? EXIT.fine : EXIT.refused;
  });
  const status = restore.command('status').description('whether the log is held back, and what it waits for');
  act(shell, status, NoFlags, async (context) => {
    const told = await context.get('/v1/restore', Status);
    context.print(told, () => statusLines(told));
    return undefined;
  });
  const confirm = restore
    .command('confirm')
    .description('go on in spite of differences, or of hosts that do not answer');
  act(shell, confirm, NoFlags, async (context) => {
    context.refuseAt();
    const { held } = await context.get('/v1/restore', Status);
    if (!held) throw new Error('nothing to confirm: the log is not held back');
    await context.api.post('/v1/restore/confirm', {});
    context.confirm({ confirmed: true }, 'Confirmed: the allocator asks hosts again.');
    return undefined;
  });
}
