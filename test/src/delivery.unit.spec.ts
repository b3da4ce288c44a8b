/** Every service goes wherever services go: none is delivered in one way and forgotten in another. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const text = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');
/** What runs for as long as the machine does; the command line does not. */
const services = readdirSync(join(ROOT, 'apps')).filter(
  (name) => name !== 'cli' && existsSync(join(ROOT, 'apps', name, 'src/main.ts')),
);
const units = readdirSync(join(ROOT, 'deploy/systemd')).filter((name) => name.endsWith('.service'));
const prometheus = text('deploy/observability/prometheus.yml');

describe('the services', () => {
  it('are found', () => {
    expect(services).toEqual(expect.arrayContaining(['allocator', 'api-gateway', 'node-agent', 'object-gateway']));
  });

  it.each(services)('%s is built into the images and run by docker-compose.yml', (name) => {
    const dockerfile = text('deploy/compose/Dockerfile');
    expect(dockerfile).toContain(`--workspace apps/${name}`);
    expect(/tsc -b .*/.exec(dockerfile)?.[0].split(' ')).toContain(`apps/${name}`);
    expect(text('docker-compose.yml') + text('deploy/compose/storage-host')).toContain(`apps/${name}/dist/main.js`);
  });

  it.each(services)('%s is in the archive, with a unit, its settings, and a line in operating.md', (name) => {
    expect(/const APPS = .*/.exec(text('tools/package.mjs'))?.[0]).toContain(`'${name}'`);
    const unit = text(`deploy/systemd/brickyard-${name}.service`);
    expect(unit).toContain(`/apps/${name}/dist/main.js`);
    const [, settings = ''] = /^EnvironmentFile=\/etc\/brickyard\/(\S+)$/m.exec(unit) ?? [];
    expect(existsSync(join(ROOT, 'deploy/systemd', settings))).toBe(settings !== '');
    expect(settings).toBe(`${name}.env`);
    const manual = text('docs/operating.md');
    expect(manual).toContain(`\`brickyard-${name}\``);
    expect(manual).toMatch(new RegExp(`^(?:[a-z-]+ and )?${name}\\b[^|#]*:$`, 'm'));
  });

  it('get no secret that `brickyard site secrets` does not make', () => {
    const made = text('apps/cli/src/site/site-files.ts') + text('apps/cli/src/commands/site.command.ts');
    const mounted = [...text('docker-compose.yml').matchAll(/_FILE: \/run\/brickyard\/(\S+)/g)];
    const credentials = units.flatMap((name) => [
      ...text('deploy/systemd', name).matchAll(/^LoadCredential=\S+:\/etc\/brickyard\/\S+\/(\S+)$/gm),
    ]);
    const wanted = new Set([...mounted, ...credentials].map(([, name = '']) => name));
    expect(wanted.size).toBeGreaterThan(8);
    const tls = ['tls-cert.pem', 'tls-key.pem'];
    expect([...wanted].filter((name) => !tls.includes(name) && !made.includes(`'${name}'`))).toEqual([]);
  });

  it('are all missed by the same alert when they do not answer', () => {
    const jobs = [...prometheus.matchAll(/job_name: (\S+)/g)].map(([, job]) => job);
    const [, watched = ''] = /up\{job=~"([^"]+)"\}/.exec(text('deploy/observability/alerts.yml')) ?? [];
    expect(watched.split('|').sort()).toEqual(jobs.sort());
    expect(jobs).toHaveLength(services.length);
  });
});
