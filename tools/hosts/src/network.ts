/**
 * The network of one lab. Its bridge lives in a namespace of its own (`<prefix>-switch`), so that neither Docker's
 * "FORWARD DROP" nor bridge-nf-call-iptables of this machine ever sees traffic between hosts, and no setting of the
 * machine has to change. In the root namespace there is a single interface, `<prefix>-lab`, with the client's address.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { mustRun, runCommand } from './command';
import { withLock } from './name-lock';
import {
  type AddressBlock,
  blockOf,
  blocksInUse,
  chooseSubnet,
  clientAddressIn,
  hostAddressIn,
  overlap,
  textOf,
} from './subnet';

const ALLOCATION_TIMEOUT_MS = 30_000;
const REACH_TIMEOUT_MS = 5_000;
const BRIDGE = 'bridge';
/** An interface name has at most 15 characters (IFNAMSIZ in netdevice(7)); ours is `<prefix>-lab`, which no one else uses. */
const PREFIX_LENGTH_MAX = 11;

const NetworkFile = z.object({ prefix: z.string(), subnet: z.string() });

/** Addresses and names of a lab's network. */
export interface Network {
  readonly prefix: string;
  readonly subnet: AddressBlock;
}

/** The prefix of everything a lab of this directory makes on the machine, unless the caller names one. */
export function prefixFor(directory: string, wanted?: string): string {
  const prefix = wanted ?? `by${createHash('sha256').update(directory).digest('hex').slice(0, 6)}`;
  if (prefix.length > PREFIX_LENGTH_MAX || !/^[a-z][a-z0-9]*$/.test(prefix)) {
    throw new Error(`a prefix is 1 to ${String(PREFIX_LENGTH_MAX)} lower-case letters and digits, not "${prefix}"`);
  }
  return prefix;
}

/** Name of the n-th host's network namespace. */
export const namespaceOf = (prefix: string, number: number): string => `${prefix}-${String(number)}`;

/** Every network namespace of a prefix that exists now, the switch last. */
export function namespacesOf(prefix: string): string[] {
  if (!existsSync('/run/netns')) return [];
  const names = readdirSync('/run/netns').filter((name) => new RegExp(`^${prefix}-(\\d+|switch)$`).test(name));
  return names.sort((one, other) => Number(one === switchOf(prefix)) - Number(other === switchOf(prefix)));
}

/** Makes the switch, the client's link and one namespace with an address per host; tells what is chosen before. */
export function createNetwork(
  directory: string,
  prefix: string,
  count: number,
  onChosen: (network: Network) => void,
): Promise<Network> {
  return withLock('subnets', ALLOCATION_TIMEOUT_MS, async () => {
    const subnet = await allocateSubnet(directory, prefix);
    onChosen({ prefix, subnet });
    const inSwitch = ['ip', '-n', switchOf(prefix)];
    await mustRun(['ip', 'netns', 'add', switchOf(prefix)]);
    await mustRun([...inSwitch, 'link', 'add', BRIDGE, 'type', 'bridge']);
    await mustRun([...inSwitch, 'link', 'set', BRIDGE, 'up']);
    const client = clientInterfaceOf(prefix);
    await mustRun(['ip', 'link', 'add', client, 'type', 'veth', 'peer', 'name', 'client', 'netns', switchOf(prefix)]);
    await mustRun([...inSwitch, 'link', 'set', 'client', 'master', BRIDGE, 'up']);
    await mustRun(['ip', 'address', 'add', `${clientAddressIn(subnet)}/${String(subnet.bits)}`, 'dev', client]);
    await mustRun(['ip', 'link', 'set', client, 'up']);
    for (let number = 1; number <= count; number += 1) await plugIn(prefix, subnet, number);
    return { prefix, subnet };
  });
}

/** The root namespace's interface of a prefix, if it exists now. */
export function interfacesOf(prefix: string): string[] {
  return existsSync(`/sys/class/net/${clientInterfaceOf(prefix)}`) ? [clientInterfaceOf(prefix)] : [];
}

/** Takes a host's cable out of the switch: silence, as after a cut, and not a closed connection. */
export async function unplug(prefix: string, number: number): Promise<void> {
  await mustRun(['ip', '-n', switchOf(prefix), 'link', 'set', portOf(number), 'nomaster']);
}

/** Puts a host's cable back. */
export async function replug(prefix: string, number: number): Promise<void> {
  await mustRun(['ip', '-n', switchOf(prefix), 'link', 'set', portOf(number), 'master', BRIDGE]);
}

/** Removes interface and namespaces of a prefix, in which no process may be left; names what it removed. */
export async function removeNetwork(prefix: string): Promise<string[]> {
  const removed: string[] = [];
  const client = clientInterfaceOf(prefix);
  // First the interface by its name: with its namespace only it would linger, and the next start would meet it.
  if ((await runCommand(['ip', 'link', 'del', client], { timeoutMs: 10_000 })).exitCode === 0) {
    removed.push(`interface ${client}`);
  }
  for (const namespace of namespacesOf(prefix)) {
    await mustRun(['ip', 'netns', 'del', namespace]);
    removed.push(`namespace ${namespace}`);
  }
  return removed;
}

/** Throws unless a host can open a connection to a service on the client's address: a firewall may forbid it. */
export async function checkClientReachable(network: Network): Promise<void> {
  const address = clientAddressIn(network.subnet);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  try {
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    if (await canConnect([`--net=/run/netns/${namespaceOf(network.prefix, 1)}`], address, port)) return;
    throw new Error(
      `storage hosts cannot reach ${address}: a firewall of this machine drops what arrives on ` +
        `${clientInterfaceOf(network.prefix)}; allow traffic from ${textOf(network.subnet)}`,
    );
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** True when a TCP connection can be opened from within the namespaces that the nsenter flags name. */
export async function canConnect(nsenterFlags: readonly string[], address: string, port: number): Promise<boolean> {
  const program = `require('node:net').connect(${JSON.stringify({ host: address, port })}, () => process.exit(0)).on('error', () => process.exit(1))`;
  const argv = ['nsenter', ...nsenterFlags, '--', process.execPath, '-e', program];
  return runCommand(argv, { timeoutMs: REACH_TIMEOUT_MS }).then(
    ({ exitCode }) => exitCode === 0,
    () => false, // Too late is as good as never.
  );
}

/** The subnet a directory remembers: gluster's peers know each other by these addresses. */
export function rememberedNetwork(directory: string): Network | undefined {
  const file = networkFileIn(directory);
  if (!existsSync(file)) return undefined;
  const { prefix, subnet } = NetworkFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { prefix, subnet: blockOf(subnet) };
}

async function allocateSubnet(directory: string, prefix: string): Promise<AddressBlock> {
  const inUse = blocksInUse(
    await mustRun(['ip', '-4', '-o', 'address', 'show']),
    await mustRun(['ip', '-4', 'route', 'show', 'table', 'all']),
  );
  const remembered = rememberedNetwork(directory);
  if (remembered !== undefined && inUse.some((block) => overlap(block, remembered.subnet))) {
    const network = textOf(remembered.subnet);
    throw new Error(`${network} belongs to the hosts of ${directory}, but this machine uses it for something else now`);
  }
  const subnet = remembered?.subnet ?? chooseSubnet(directory, inUse);
  const file = networkFileIn(directory);
  writeFileSync(`${file}.new`, `${JSON.stringify({ prefix, subnet: textOf(subnet) })}\n`);
  renameSync(`${file}.new`, file);
  return subnet;
}

async function plugIn(prefix: string, subnet: AddressBlock, number: number): Promise<void> {
  const namespace = namespaceOf(prefix, number);
  const inSwitch = ['ip', '-n', switchOf(prefix), 'link'];
  const inHost = ['ip', '-n', namespace];
  const address = `${hostAddressIn(subnet, number)}/${String(subnet.bits)}`;
  await mustRun(['ip', 'netns', 'add', namespace]);
  await mustRun([...inSwitch, 'add', portOf(number), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  await mustRun([...inSwitch, 'set', portOf(number), 'master', BRIDGE, 'up']);
  await mustRun([...inHost, 'address', 'add', address, 'dev', 'eth0']);
  await mustRun([...inHost, 'link', 'set', 'eth0', 'up']);
  await mustRun([...inHost, 'link', 'set', 'lo', 'up']);
}

const switchOf = (prefix: string): string => `${prefix}-switch`;
const portOf = (number: number): string => `host${String(number)}`;
const clientInterfaceOf = (prefix: string): string => `${prefix}-lab`;
const networkFileIn = (directory: string): string => join(directory, 'network.json');
