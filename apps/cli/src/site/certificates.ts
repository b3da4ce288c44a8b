/** The site's own authority and the certificates it signs, made by `openssl`. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const AUTHORITY_DAYS = '3650';
const CERTIFICATE_DAYS = '825';

/** Makes the authority unless it is there. */
export async function ensureAuthority(folder: string): Promise<void> {
  if (existsSync(join(folder, 'ca.pem'))) return;
  const subject = ['-subj', '/CN=Brickyard site authority'];
  await openssl(folder, [
    'req',
    '-x509',
    ...CURVE,
    '-keyout',
    'ca-key.pem',
    '-out',
    'ca.pem',
    '-days',
    AUTHORITY_DAYS,
    ...subject,
  ]);
}

/** Makes a certificate for these names in the authority's folder, unless it is there; gives the paths of both files. */
export async function ensureCertificate(
  folder: string,
  name: string,
  hosts: readonly string[],
): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key, request] = [`${name}-cert.pem`, `${name}-key.pem`, `${name}.csr`];
  const found = { cert: join(folder, cert), key: join(folder, key) };
  if (existsSync(found.cert)) return found;
  const names = hosts.map((host) => `${isIP(host) > 0 ? 'IP' : 'DNS'}:${host}`).join(',');
  const about = [
    '-subj',
    `/CN=${name}`,
    '-addext',
    `subjectAltName=${names}`,
    '-addext',
    'extendedKeyUsage=serverAuth',
  ];
  await openssl(folder, ['req', '-new', ...CURVE, '-keyout', key, '-out', request, ...about]);
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-copy_extensions', 'copy'];
  await openssl(folder, ['x509', '-req', '-in', request, ...authority, '-out', cert, '-days', CERTIFICATE_DAYS]);
  return found;
}

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  await run('openssl', [...args], { cwd, timeout: 30_000 }).catch((error: unknown) => {
    throw new Error(`openssl ${args[0] ?? ''} failed; is openssl installed?`, { cause: error });
  });
}
