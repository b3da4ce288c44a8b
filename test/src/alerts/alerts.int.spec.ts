/** The alert rules, held by Prometheus' own tool against what parts of a system tell. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALERTS } from './cases';
import type { AlertCases } from './series';
import { command } from '../stack-under-test';

const REPOSITORY = join(__dirname, '../../..');
const OBSERVABILITY = join(REPOSITORY, 'deploy/observability');
const RULES = join(OBSERVABILITY, 'alerts.yml');
const text = readFileSync(RULES, 'utf8');
const names = [...text.matchAll(/- alert: (\S+)/g)].map(([, name = '']) => name);
/** `NodeLost` is told of under `#node-lost`. */
const runbookOf = (name: string): string =>
  `docs/runbook.md#${/runbook: \S+#(\S+)/.exec(text.slice(text.indexOf(`- alert: ${name}\n`)))?.[1] ?? ''}`;

describe('the alerts', () => {
  it('each name a section of the runbook, and no section is without an alert', () => {
    const runbook = readFileSync(join(REPOSITORY, 'docs/runbook.md'), 'utf8');
    const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    const named = [...text.matchAll(/runbook: docs\/runbook\.md#(\S+)/g)].map(([, anchor]) => anchor);
    expect(named).toHaveLength(names.length);
    expect(named.sort()).toEqual(sections.sort());
  });

  it('each have cases in which they fire and in which they do not', () => {
    expect(Object.keys(ALERTS).sort()).toEqual([...names].sort());
    const untried = Object.entries(ALERTS).filter(([, { fires, quiet }]) => fires.length === 0 || quiet.length === 0);
    expect(untried).toEqual([]);
  });

  const promtool = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find(existsSync);
  (promtool !== undefined ? describe : describe.skip)('by promtool', () => {
    const folder = mkdtempSync(join(tmpdir(), 'brickyard-alerts-'));
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    /** Holds the cases against rules; rejects with what promtool says when they do not do as they should. */
    const judge = async (cases: Readonly<Record<string, AlertCases>>, rules = RULES): Promise<string> => {
      const file = join(folder, 'cases.json');
      writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests: testsOf(cases) }));
      return command(promtool ?? '', ['test', 'rules', file]);
    };

    it('are rules and a configuration that Prometheus understands', async () => {
      expect(await command(promtool ?? '', ['check', 'rules', RULES])).toContain(`${String(names.length)} rules found`);
      await command(promtool ?? '', ['check', 'config', join(OBSERVABILITY, 'prometheus.yml')]);
    });

    it('fire, with what they say to whom, and keep quiet', async () => {
      expect(await judge(ALERTS)).toContain('SUCCESS');
    });

    it('would be found out if one of them never fired, or always', async () => {
      const broken = join(folder, 'broken.yml');
      for (const expr of ['vector(0) > 1', 'vector(1)']) {
        writeFileSync(broken, text.replace(/(alert: NodeLost\n\s+expr:) .*/, `$1 ${expr}`));
        await expect(judge({ NodeLost: ALERTS['NodeLost'] ?? { fires: [], quiet: [] } }, broken)).rejects.toThrow();
      }
    });
  });
});

/** As promtool reads them. */
function testsOf(all: Readonly<Record<string, AlertCases>>): unknown[] {
  return Object.entries(all).flatMap(([alertname, { fires, quiet }]) => {
    const test = (name: string, series: Readonly<Record<string, string>>, minute: number, alerts: unknown[]) => ({
      name: `${alertname}: ${name}`,
      interval: '1m',
      input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
      alert_rule_test: [{ alertname, eval_time: `${String(minute)}m`, exp_alerts: alerts }],
    });
    return [
      ...fires.map(({ series, minute, severity, labels = {}, summary }, index) =>
        test(`fires (${String(index + 1)})`, series, minute, [
          { exp_labels: { ...labels, severity }, exp_annotations: { summary, runbook: runbookOf(alertname) } },
        ]),
      ),
      ...quiet.map(({ why, series, minute }) => test(`keeps quiet: ${why}`, series, minute, [])),
    ];
  });
}
