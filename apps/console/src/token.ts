/** A token for one request, as every client of the API makes it: the key never leaves the page. */
import { hmacSha256, sha256 } from './sha256.ts';

const TOKEN_SECONDS = 120;

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

/** What binds a token to a method and a path. */
async function queryStringHash(method: string, path: string): Promise<string> {
  const text = bytesOf(`${method}&${path}`);
  return hex(isSecure() ? new Uint8Array(await crypto.subtle.digest('SHA-256', text)) : sha256(text));
}

/** Browsers keep WebCrypto from pages that came over plain HTTP from elsewhere. */
const isSecure = (): boolean => (crypto as Partial<Crypto>).subtle !== undefined;

async function signature(key: string, text: string): Promise<Uint8Array> {
  if (!isSecure()) return hmacSha256(bytesOf(key), bytesOf(text));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', bytesOf(key), algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytesOf(text)));
}

/** The token for a request: HS256 over heketi's claims. */
export async function tokenFor(key: string, method: string, path: string, nowSeconds: number): Promise<string> {
  const qsh = await queryStringHash(method, path);
  const claims = { iss: 'admin', iat: nowSeconds, exp: nowSeconds + TOKEN_SECONDS, qsh };
  const parts = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => base64url(bytesOf(JSON.stringify(part))));
  const head = parts.join('.');
  return `${head}.${base64url(await signature(key, head))}`;
}
