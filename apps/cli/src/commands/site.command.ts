/** Makes the secrets of a site: passwords, keys, certificates, and the bus's list of who may do what. */
import { randomBytes } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostName } from '@brickyard/contracts';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Context } from '../context';
import { ensureAuthority, ensureCertificate } from '../site/certificates';
import { siteFolders } from '../site/site-files';
import { act, type Shell } from './act';

const Owner = z
  .string()
  .regex(/^[a-z0-9-]+=\d+$/, 'must be PART=UID')
  .transform((text) => text.split('=') as [string, string]);

const SiteFlags = z.object({
  directory: z.string().min(1),
  node: z.array(HostName).default([]),
  postgres: z.string().optional(),
  natsName: z.array(z.string()).optional(),
  apiName: z.array(z.string()).optional(),
  owner: z.array(Owner).default([]),
});
type SiteFlags = z.infer<typeof SiteFlags>;

/** `brickyard site secrets` */
export function siteCommands(program: Command, shell: Shell): void {
  const secrets = program
    .command('site')
    .description('what a site is made of')
    .command('secrets')
    .description('make what is missing of passwords, keys and certificates; one folder for each part')
    .requiredOption('--directory <path>', 'where the folders are; `authority` is the one to keep safe')
    .option('--node <name...>', 'storage hosts, by the names under which they are added')
    .option('--postgres <host:port/database>', 'where the services find Postgres; absent: as before')
    .option('--nats-name <name...>', 'names and addresses of NATS, for its certificate; absent: as before')
    .option('--api-name <name...>', 'names and addresses of the API, for its certificate; absent: as before')
    .option('--owner <part=uid...>', 'user id that owns the folder of a part; needs root');
  act(shell, secrets, SiteFlags, makeSecrets);
}

async function makeSecrets(context: Context, _: readonly string[], flags: SiteFlags): Promise<undefined> {
  const authority = join(flags.directory, 'authority');
  mkdirSync(authority, { recursive: true, mode: 0o700 });
  await ensureAuthority(authority);
  const nats = await ensureCertificate(authority, 'nats', {
    hosts: flags.natsName,
    usualHosts: ['nats', 'localhost', '127.0.0.1'],
    asClient: true,
  });
  const api = await ensureCertificate(authority, 'api', {
    hosts: flags.apiName,
    usualHosts: ['gateway', 'localhost', '127.0.0.1'],
    asClient: false,
  });
  const owners = new Map(flags.owner);
  const postgres = flags.postgres ?? postgresOf(flags.directory) ?? 'postgres:5432/brickyard';
  const folders = siteFolders({ nodes: flags.node, postgres }, masterIn(authority));
  for (const { part, files } of folders) {
    const folder = join(flags.directory, part);
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) write(join(folder, name), `${text}\n`);
    cpSync(join(authority, 'ca.pem'), join(folder, 'ca.pem'));
    if (part === 'nats') copyPair(nats, folder, 'nats');
    if (part === 'gateway') copyPair(api, folder, 'tls');
    own(
      folder,
      [...Object.keys(files), 'ca.pem', 'nats-cert.pem', 'nats-key.pem', 'tls-cert.pem', 'tls-key.pem'],
      owners.get(part),
    );
  }
  for (const [part, owner] of owners) own(join(flags.directory, part), [], owner); // Also folders that hold no secrets.
  const made = folders.map(({ part }) => part);
  context.print({ directory: flags.directory, parts: made }, () => [
    `Secrets of ${made.join(', ')} are in ${flags.directory}`,
  ]);
  return undefined;
}

/** Where the services of the site find Postgres so far. */
function postgresOf(directory: string): string | undefined {
  const file = join(directory, 'allocator/pg-url');
  if (!existsSync(file)) return undefined;
  const { host, pathname, search } = new URL(readFileSync(file, 'utf8').trim());
  return `${host}${pathname}${search}`;
}

/** Replaces a file, also one that its owner may only read. */
function write(path: string, text: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode: 0o400 });
}

function masterIn(authority: string): string {
  const file = join(authority, 'master-secret');
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o400 });
  return readFileSync(file, 'utf8').trim();
}

function copyPair(from: { readonly cert: string; readonly key: string }, folder: string, name: string): void {
  cpSync(from.cert, join(folder, `${name}-cert.pem`));
  cpSync(from.key, join(folder, `${name}-key.pem`));
}

/** The folder becomes the part's alone. */
function own(folder: string, names: readonly string[], owner: string | undefined): void {
  if (owner === undefined) return;
  const uid = Number(owner);
  for (const path of [folder, ...names.map((name) => join(folder, name))])
    if (existsSync(path)) chownSync(path, uid, uid);
}
