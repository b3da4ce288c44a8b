/** The site's own authority and the certificates it signs, made by `openssl`. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const AUTHORITY_DAYS = '3650';
const CERTIFICATE_DAYS = '825';
const RENEW_DAYS = 90;
const DAY_MS = 86_400_000;
/** RFC 5280, 4.2.1.12: id-kp-clientAuth. */
const CLIENT_USE = '1.3.6.1.5.5.7.3.2';

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

/** What a certificate is for: its names, and whether who has it also asks others to let it in. */
export interface CertificateUse {
  /** Host names and addresses; absent: those of the certificate that is there, or `usualHosts`. */
  readonly hosts: readonly string[] | undefined;
  readonly usualHosts: readonly string[];
  /** Servers of a NATS cluster are clients of one another. */
  readonly asClient: boolean;
}

/**
 * Makes a certificate in the authority's folder unless a good one is there: for other names, another use, or when it ends
 * in less than 90 days, it is made anew. Gives the paths of both files.
 */
export async function ensureCertificate(
  folder: string,
  name: string,
  { hosts, usualHosts, asClient }: CertificateUse,
): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key, request] = [`${name}-cert.pem`, `${name}-key.pem`, `${name}.csr`];
  const found = { cert: join(folder, cert), key: join(folder, key) };
  const present = existsSync(found.cert) ? new X509Certificate(readFileSync(found.cert)) : undefined;
  const wanted = hosts ?? (present === undefined ? usualHosts : namesOf(present));
  if (present !== undefined && isGood(present, wanted, asClient)) return found;
  const names = wanted.map((host) => `${isIP(host) > 0 ? 'IP' : 'DNS'}:${host}`).join(',');
  const about = [
    '-subj',
    `/CN=${name}`,
    '-addext',
    `subjectAltName=${names}`,
    '-addext',
    `extendedKeyUsage=serverAuth${asClient ? ',clientAuth' : ''}`,
  ];
  await openssl(folder, ['req', '-new', ...CURVE, '-keyout', key, '-out', request, ...about]);
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-copy_extensions', 'copy'];
  await openssl(folder, ['x509', '-req', '-in', request, ...authority, '-out', cert, '-days', CERTIFICATE_DAYS]);
  return found;
}

const namesOf = ({ subjectAltName = '' }: X509Certificate): string[] =>
  subjectAltName.split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));

function isGood(present: X509Certificate, wanted: readonly string[], asClient: boolean): boolean {
  const isNamed = (host: string): boolean =>
    (isIP(host) > 0 ? present.checkIP(host) : present.checkHost(host)) !== undefined;
  const isOfUse = !asClient || present.keyUsage.includes(CLIENT_USE);
  const daysLeft = (Date.parse(present.validTo) - Date.now()) / DAY_MS;
  const isOthers = namesOf(present).length !== wanted.length || !wanted.every(isNamed);
  return !isOthers && isOfUse && daysLeft > RENEW_DAYS;
}

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  await run('openssl', [...args], { cwd, timeout: 30_000 }).catch((error: unknown) => {
    throw new Error(`openssl ${args[0] ?? ''} failed; is openssl installed?`, { cause: error });
  });
}
