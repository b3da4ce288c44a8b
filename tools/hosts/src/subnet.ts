/** Which addresses a lab may use: pure arithmetic over what `ip` prints. */
import { createHash } from 'node:crypto';

/** A block of IPv4 addresses: its first address as a number, and the length of its prefix in bits. */
export interface AddressBlock {
  readonly base: number;
  readonly bits: number;
}

/** 10.64.0.0/10, private (RFC 1918) and away from the low end that most routers use; then 198.18.0.0/15, for tests (RFC 2544). */
const RANGES: readonly AddressBlock[] = ['10.64.0.0/10', '198.18.0.0/15'].map(blockOf);
const SUBNET_BITS = 24;
/** The first storage host is .11; the lower addresses belong to the client and to whatever comes. */
const FIRST_HOST = 11;
/** As many hosts as fit between .11 and .254. */
export const HOSTS_MAX = 254 - FIRST_HOST + 1;

/** Reads `10.1.2.0/24`; a plain address is a block of one. */
export function blockOf(text: string): AddressBlock {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (match === null) throw new Error(`not an IPv4 block: ${text}`);
  const bits = Number(match[5] ?? 32);
  const address = match.slice(1, 5).reduce((number, part) => number * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  return { base: Math.floor(address / size) * size, bits };
}

/** True when the two blocks share an address. */
export function overlap(one: AddressBlock, other: AddressBlock): boolean {
  const size = 2 ** (32 - Math.min(one.bits, other.bits));
  return Math.floor(one.base / size) === Math.floor(other.base / size);
}

/** Every block that this machine's addresses and routes name, from `ip -4 -o addr show` and `ip -4 route show table all`. */
export function blocksInUse(addresses: string, routes: string): AddressBlock[] {
  const ofAddresses = [...addresses.matchAll(/\binet (\S+)/g)].map((match) => match[1]);
  const kinds = /^(?:(?:unicast|local|broadcast|blackhole|unreachable|prohibit|throw|multicast) )?(\d\S*)/gm;
  const ofRoutes = [...routes.matchAll(kinds)].map((match) => match[1]);
  return [...ofAddresses, ...ofRoutes].filter((text) => text !== undefined).map(blockOf);
}

/** The first free /24 of ours, looking from a place that depends on the seed so that labs seldom meet. */
export function chooseSubnet(seed: string, inUse: readonly AddressBlock[]): AddressBlock {
  const start = createHash('sha256').update(seed).digest().readUInt32BE(0);
  for (const range of RANGES) {
    const count = 2 ** (SUBNET_BITS - range.bits);
    for (let step = 0; step < count; step += 1) {
      const candidate = { base: range.base + ((start + step) % count) * 256, bits: SUBNET_BITS };
      if (!inUse.some((block) => overlap(block, candidate))) return candidate;
    }
  }
  throw new Error('no free /24 network in 10.64.0.0/10 or 198.18.0.0/15 on this machine');
}

/** `10.91.0.0/24` of a block. */
export const textOf = (block: AddressBlock): string => `${addressAt(block, 0)}/${String(block.bits)}`;

/** The client's address (root namespace) in a subnet: .1. */
export const clientAddressIn = (subnet: AddressBlock): string => addressAt(subnet, 1);

/** The address of the n-th storage host (from 1) in a subnet: .11, .12 … */
export const hostAddressIn = (subnet: AddressBlock, number: number): string =>
  addressAt(subnet, FIRST_HOST + number - 1);

/** True when the text names an address of the subnet, as a FUSE mount's source or a client's command line does. */
export function mentions(subnet: AddressBlock, text: string): boolean {
  const found = text.match(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g) ?? [];
  return found.some((address) => overlap(blockOf(address), subnet));
}

function addressAt(block: AddressBlock, offset: number): string {
  const address = block.base + offset;
  return [24, 16, 8, 0].map((shift) => String(Math.floor(address / 2 ** shift) % 256)).join('.');
}
