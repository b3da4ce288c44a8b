/** Which secrets each part of a site gets: its own, and no others. */
import { createHmac } from 'node:crypto';
import { type BusAccount, busUserOf, type HostName, hostToken } from '@brickyard/contracts';
import { natsAuthorization } from '@brickyard/service-host';

/** A site as its operator describes it. */
export interface Site {
  /** Storage hosts by the names under which they are added. */
  readonly nodes: readonly HostName[];
  /** `host:port/database` of Postgres. */
  readonly postgres: string;
}

/** One part of a site: the folder of its secrets, and the text of each file in it. */
export interface SiteFolder {
  readonly part: string;
  readonly files: Readonly<Record<string, string>>;
}

const OWNER = 'brickyard';

/** Every password follows from the site's master secret, so that a host that is added later changes nothing for the others. */
export function siteFolders({ nodes, postgres }: Site, master: string): readonly SiteFolder[] {
  const secretOf = (name: string): string => createHmac('sha256', master).update(name).digest('base64url');
  const bus = (account: BusAccount): string => secretOf(`bus ${busUserOf(account)}`);
  const database = (user: string): string => secretOf(`postgres ${user}`);
  const pgUrl = (user: string): string => `postgresql://${user}:${database(user)}@${postgres}`;
  const agents = nodes.map((host): BusAccount => ({ kind: 'agent', host }));
  const services: BusAccount[] = [
    { kind: 'allocator' },
    { kind: 'gateway' },
    { kind: 'registry' },
    { kind: 'observer' },
  ];
  const chap = { 'chap-keys': secretOf('chap') };
  const keys = { 'admin-key': secretOf('api admin'), 'user-key': secretOf('api user') };
  return [
    { part: 'postgres', files: { 'owner-password': database(OWNER) } },
    {
      part: 'migrate',
      files: {
        'pg-owner-url': pgUrl(OWNER),
        'pg-allocator-password': database('brickyard_allocator'),
        'pg-gateway-password': database('brickyard_gateway'),
        'pg-registry-password': database('brickyard_registry'),
      },
    },
    { part: 'nats', files: { 'nats.conf': natsConfig([...services, ...agents], bus) } },
    {
      part: 'allocator',
      files: { 'nats-password': bus({ kind: 'allocator' }), 'pg-url': pgUrl('brickyard_allocator'), ...chap },
    },
    {
      part: 'gateway',
      files: { 'nats-password': bus({ kind: 'gateway' }), 'pg-url': pgUrl('brickyard_gateway'), ...keys, ...chap },
    },
    {
      part: 'registry',
      files: {
        'nats-password': bus({ kind: 'registry' }),
        'pg-url': pgUrl('brickyard_registry'),
        'api-key': keys['admin-key'],
      },
    },
    {
      part: 'objects',
      files: { 'access-key': 'brickyard', 'secret-key': secretOf('objects'), 'api-key': keys['admin-key'] },
    },
    { part: 'operator', files: { ...keys, 'nats-password': bus({ kind: 'observer' }) } },
    ...nodes.map((host) => ({
      part: `node-${hostToken(host)}`,
      files: { 'nats-password': bus({ kind: 'agent', host }) },
    })),
  ];
}

/**
 * A whole configuration: a server that was told of JetStream or its store on the command line switches JetStream off, or
 * refuses, when it reads its file again.
 */
function natsConfig(accounts: readonly BusAccount[], passwordOf: (account: BusAccount) => string): string {
  const logins = accounts.map((account) => ({ account, password: passwordOf(account) }));
  return [
    'max_payload: 1MB',
    'jetstream { store_dir: "/var/lib/nats" }',
    'tls {',
    '  cert_file: "./nats-cert.pem"',
    '  key_file: "./nats-key.pem"',
    '  timeout: 5',
    '}',
    natsAuthorization(logins),
  ].join('\n');
}
