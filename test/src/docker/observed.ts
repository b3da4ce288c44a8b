/** Prometheus, as Debian has it, on the stack's own configuration. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dyingWithParent, freePort } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { z } from 'zod';
import { startDaemon } from './program';

const READY_MS = 30_000;

const Answer = z.object({ status: z.literal('success'), data: z.unknown() });
const Targets = z.object({ activeTargets: z.array(z.object({ scrapeUrl: z.string(), health: z.string() })) });
const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ name: z.string(), health: z.string(), state: z.string(), lastError: z.string().optional() }),
      ),
    }),
  ),
});
const Metadata = z.record(z.string(), z.unknown());
const Vector = z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) });

/** A Prometheus that scrapes. */
export interface Prometheus {
  readonly url: string;
  /** How each target is. */
  targets(): Promise<z.infer<typeof Targets>['activeTargets']>;
  /** How each alert is. */
  alerts(): Promise<z.infer<typeof Rules>['groups'][number]['rules']>;
  /** The names of all metrics that targets tell of, also of those that have no value yet. */
  metrics(): Promise<ReadonlySet<string>>;
  /** The values of an expression; a wrong one throws. */
  query(expression: string): Promise<readonly number[]>;
  stop(): void;
}

/**
 * Starts it on `deploy/observability`, with addresses for the names of the services, which only containers can look up, and
 * with less patience between two scrapes.
 */
export async function startPrometheus(
  folder: string,
  configuration: string,
  addressOf: (service: string) => string,
): Promise<Prometheus> {
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(join(configuration, 'prometheus.yml'), 'utf8')
    .replace(
      /dns_sd_configs: \[\{ names: \[(\S+)\], type: A, port: (\d+) \}\]/g,
      "static_configs: [{ targets: ['$1:$2'] }]",
    )
    .replace(/'([a-z0-9-]+):(\d+)'/g, (_, service: string, port: string) => `'${addressOf(service)}:${port}'`)
    .replace(/(scrape|evaluation)_interval: \S+/g, '$1_interval: 2s')
    .replace('alerts.yml', join(configuration, 'alerts.yml'));
  writeFileSync(join(folder, 'prometheus.yml'), text);
  const listen = `127.0.0.1:${String(await freePort())}`;
  const argv = ['prometheus', `--config.file=${join(folder, 'prometheus.yml')}`, `--web.listen-address=${listen}`];
  const daemon = startDaemon(
    dyingWithParent('KILL', [argv[0] ?? '', ...argv.slice(1), `--storage.tsdb.path=${join(folder, 'data')}`]),
    join(folder, 'prometheus.log'),
    process.env,
  );
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://${listen}/api/v1/${path}`);
    const body: unknown = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(body));
    return Answer.parse(body).data;
  };
  await eventually('prometheus does not answer', READY_MS, async () => {
    if (daemon.exitCode !== null) throw new Error(readFileSync(join(folder, 'prometheus.log'), 'utf8').slice(-2_000));
    await ask('targets');
  });
  return {
    url: `http://${listen}`,
    targets: async () => Targets.parse(await ask('targets')).activeTargets,
    alerts: async () => Rules.parse(await ask('rules')).groups.flatMap(({ rules }) => rules),
    metrics: async () => new Set(Object.keys(Metadata.parse(await ask('metadata')))),
    query: async (expression) =>
      Vector.parse(await ask(`query?query=${encodeURIComponent(expression)}`)).result.map(({ value }) =>
        Number(value[1]),
      ),
    stop: () => {
      daemon.kill('SIGKILL');
    },
  };
}
