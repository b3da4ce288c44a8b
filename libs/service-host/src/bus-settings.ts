/** How a process finds the bus and proves who it is: one set of variables for all services. */
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { inboxOf } from '@brickyard/contracts';
import { z } from 'zod';

/** Where NATS is and as whom to connect. */
export interface BusSettings {
  /** `nats://host:port` or `tls://host:port`, several separated by commas; user and password may be part of it. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: BusTls | undefined;
}

/** PEM texts: whom to trust, and how to prove who we are where the server asks for a certificate. */
export interface BusTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Variables of every service that connects to the bus; each may be given as a file (`…_FILE`). */
export const busVariables = {
  BRICKYARD_NATS_URL: z.string().min(1).describe('such as nats://127.0.0.1:4222, or tls://…'),
  BRICKYARD_NATS_USER: z.string().optional(),
  BRICKYARD_NATS_PASSWORD: z.string().optional(),
  BRICKYARD_NATS_CA: z.string().optional().describe('PEM; the authority that signed the certificate of NATS'),
  BRICKYARD_NATS_CERT: z.string().optional().describe('PEM; our certificate, where NATS asks for one'),
  BRICKYARD_NATS_KEY: z.string().optional().describe('PEM; its key'),
};

type Variables = z.infer<z.ZodObject<typeof busVariables>>;

/** The settings in a service's variables. */
export function busSettings(given: Variables): BusSettings {
  const tls = { ca: given.BRICKYARD_NATS_CA, cert: given.BRICKYARD_NATS_CERT, key: given.BRICKYARD_NATS_KEY };
  const isTls = Object.values(tls).some((text) => text !== undefined);
  return {
    url: given.BRICKYARD_NATS_URL,
    user: given.BRICKYARD_NATS_USER,
    password: given.BRICKYARD_NATS_PASSWORD,
    ...(isTls ? { tls } : {}),
  };
}

type TlsOptions = Record<string, string | typeof checkServerIdentity>;

/** How every connection of ours to NATS behaves, whoever makes it: it reconnects for ever. */
export interface ConnectionSettings {
  readonly servers: string[];
  readonly user?: string;
  readonly pass?: string;
  readonly inboxPrefix?: string;
  readonly tls?: TlsOptions;
  readonly reconnect: true;
  readonly maxReconnectAttempts: -1;
  readonly reconnectTimeWait: number;
  readonly reconnectJitter: number;
  readonly ignoreAuthErrorAbort: true;
  readonly timeout: number;
  readonly pingInterval: number;
  readonly maxPingOut: number;
  readonly noAsyncTraces: true;
}

/** The client's options for these settings. */
export function connectionSettings(settings: BusSettings): ConnectionSettings {
  const urls = settings.url.split(',').map((url) => new URL(url.includes('://') ? url.trim() : `nats://${url.trim()}`));
  const user = settings.user ?? decodeURIComponent(urls[0]?.username ?? '');
  const pass = settings.password ?? decodeURIComponent(urls[0]?.password ?? '');
  const isTls = settings.tls !== undefined || urls.some(({ protocol }) => protocol === 'tls:');
  return {
    servers: urls.map(({ host }) => host),
    ...(user === '' ? {} : { user, pass, inboxPrefix: inboxOf(user) }),
    ...(isTls ? { tls: { ...definedOf(settings.tls ?? {}), ...identityOf(urls) } } : {}),
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 400,
    ignoreAuthErrorAbort: true, // A password may be set right on the server while we keep trying.
    timeout: 5_000,
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
}

const definedOf = (tls: BusTls): Record<string, string> =>
  Object.fromEntries(Object.entries(tls).filter((entry): entry is [string, string] => entry[1] !== undefined));

/** The client does not tell TLS an address that is no name: then the certificate must be for one of our servers' addresses. */
function identityOf(urls: readonly URL[]): { checkServerIdentity?: typeof checkServerIdentity } {
  const addresses = urls.map(({ hostname }) => hostname.replace(/^\[|\]$/g, '')).filter((host) => isIP(host) > 0);
  if (addresses.length === 0) return {};
  const check = (name: string, certificate: PeerCertificate): Error | undefined => {
    const isOurs = addresses.some((address) => checkServerIdentity(address, certificate) === undefined);
    return isOurs ? undefined : checkServerIdentity(name, certificate);
  };
  return { checkServerIdentity: check };
}
