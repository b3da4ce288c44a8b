/** The steps of the demonstration: each does one thing and says what came of it; what is not as it should be throws. */
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiClient, ApiError } from '@brickyard/service-host';
import { askControl } from './control';
import * as api from './demo-api';
import { filesBelow, type WrittenFiles } from './demo-files';
import * as gluster from './demo-gluster';
import type { RunningSystem } from './running-system';

const GIB = 1024 ** 3;
const FILES = 60;
const MORE_FILES = 20;
/** Of the size asked for, what XFS and Gluster leave to files. */
const USABLE_SHARE = 0.9;
const HISTORY_SHOWN = 25;

type Step = <T>(name: string, work: () => Promise<T>, tell: (result: T) => string) => Promise<T>;

/** What the story is told with. */
export interface Story {
  readonly system: RunningSystem;
  readonly client: ApiClient;
  readonly step: Step;
  /** Undone, last first, when the story ends early. */
  readonly cleanUp: (() => Promise<unknown>)[];
}

/** Tells the whole story. */
export async function tellStory(story: Story): Promise<void> {
  const { step, client, system } = story;
  const isReal = system.hosts === 'real';
  const status = await step('look at the system', () => look(client), describeStatus);
  const usedBefore = await api.usedSpace(client);
  const volume = await step('create a volume of 1 GiB, three replicas', () => create(story), describeVolume);
  const mounted = isReal ? await storeAndSurvive(story, volume, status) : undefined;
  const expanded = await step('expand it by 1 GiB', () => expand(client, volume, mounted?.target), describeVolume);
  if (mounted !== undefined) await readAfterExpansion(story, expanded, mounted);
  await step('ask for its history', () => api.readHistory(client, volume.id), describeHistory);
  await step(
    'ask what it was before',
    () => lookBack(client, volume),
    (size) => `${String(size)} GiB at the time`,
  );
  if (mounted !== undefined)
    await step(
      'unmount it',
      () => unmount(mounted.target),
      () => 'unmounted',
    );
  await step(
    'delete it',
    () => client.delete(`/volumes/${volume.id}`),
    () => 'deleted',
  );
  const hosts = isReal ? status.nodes.map(({ host }) => host) : [];
  const nothingLeft = (): Promise<void> => checkNothingLeft(story, expanded, usedBefore, hosts);
  await step('check that nothing is left', nothingLeft, () => 'devices as before; no brick, no Gluster volume');
}

async function look(client: ApiClient): Promise<api.Status> {
  await api.readStatus(client); // Fails at once when nobody answers.
  await api.untilIdle(client);
  const status = await api.readStatus(client);
  const silent = status.nodes.filter(({ lost, agent }) => lost || agent.alive !== true);
  if (status.nodes.length < 3) throw new Error('this needs three registered hosts; start with npm start');
  if (silent.length > 0) throw new Error(`silent hosts: ${silent.map(({ host }) => host).join(', ')}`);
  return status;
}

async function create({ client, cleanUp }: Story): Promise<api.Volume> {
  const volume = await api.createVolume(client, `demo-${String(Date.now())}`, 1);
  cleanUp.push(() => client.delete(`/volumes/${volume.id}`));
  const nodes = new Set(volume.bricks.map(({ node }) => node));
  if (nodes.size !== 3) throw new Error(`its bricks are on ${String(nodes.size)} nodes and not on three`);
  return volume;
}

interface Mounted {
  /** A host that was up all the time. */
  readonly witness: string;
  readonly target: string;
  readonly files: WrittenFiles;
}

/** Only with real hosts: data goes in, a host loses power, the data stays, the host comes back and catches up. */
async function storeAndSurvive(story: Story, volume: api.Volume, { nodes }: api.Status): Promise<Mounted> {
  const { step, system, cleanUp } = story;
  const socket = system.controlSocket;
  const target = await step(
    'mount it',
    () => mount(story, volume),
    (where) => where,
  );
  const files = filesBelow(target);
  const described = (): string => describeFiles(files);
  await step('write files', () => files.write('first', FILES), described);

  const victim = nodes.find(({ id }) => id === volume.bricks[0]?.node)?.host ?? '';
  const witness = nodes.find(({ host }) => host !== victim)?.host ?? '';
  await step(
    `cut the power of ${victim}`,
    () => askControl(socket, { crash: victim }),
    () => 'everything on it died',
  );
  cleanUp.push(() => askControl(socket, { boot: victim }).catch(() => undefined));
  await step(
    'read all files back',
    () => files.verify(),
    () => `${described()}: every checksum is right`,
  );
  await step('write more, and over old ones', () => writeMore(files), described);
  await step(
    `switch ${victim} on again`,
    () => askControl(socket, { boot: victim }),
    () => 'up',
  );
  cleanUp.pop();
  const healed = (): Promise<number> => gluster.untilHealed(socket, volume, witness);
  await step('wait until it has caught up', healed, (most) => `nothing left to heal (seen: ${String(most)} entries)`);
  await step(
    'read all files back',
    () => files.verify(),
    () => `${described()}: every checksum is right`,
  );
  return { target, files, witness };
}

async function mount({ cleanUp }: Story, volume: api.Volume): Promise<string> {
  const target = mkdtempSync(join(tmpdir(), 'brickyard-demo-'));
  cleanUp.push(() => unmount(target));
  await gluster.mountVolume(volume, target);
  return target;
}

async function unmount(target: string): Promise<void> {
  if (!existsSync(target)) return;
  if (await gluster.isMounted(target)) await gluster.unmountVolume(target);
  rmdirSync(target);
}

async function writeMore(files: WrittenFiles): Promise<void> {
  await files.write('second', MORE_FILES);
  await files.overwrite(MORE_FILES);
}

async function expand(client: ApiClient, volume: api.Volume, target: string | undefined): Promise<api.Volume> {
  const expanded = await api.expandVolume(client, volume.id, 1);
  if (expanded.size !== 2) throw new Error(`it has ${String(expanded.size)} GiB and not 2`);
  if (target !== undefined) {
    const bytes = await gluster.mountedBytes(target);
    if (bytes < 2 * GIB * USABLE_SHARE) throw new Error(`its mount shows only ${String(bytes)} bytes`);
  }
  return expanded;
}

/** Files move to the new bricks in the background. */
async function readAfterExpansion({ step, system }: Story, volume: api.Volume, mounted: Mounted): Promise<void> {
  const rebalanced = (): Promise<void> => gluster.untilRebalanced(system.controlSocket, volume, mounted.witness);
  await step('wait until its files are spread', rebalanced, () => 'done on every host');
  await step(
    'read all files back',
    () => mounted.files.verify(),
    () => `${describeFiles(mounted.files)}: every checksum is right`,
  );
}

/** The volume as of the event before its expansion began. */
async function lookBack(client: ApiClient, volume: api.Volume): Promise<number> {
  const history = await api.readHistory(client, volume.id);
  const expansion = history.find(({ type }) => type.includes('Expan'));
  if (expansion === undefined) throw new Error('its history does not know the expansion');
  const { size } = await api.readVolume(client, volume.id, `?at=${String(expansion.position - 1)}`);
  if (size !== 1) throw new Error(`it had ${String(size)} GiB and not 1`);
  return size;
}

async function checkNothingLeft(
  { client, system }: Story,
  volume: api.Volume,
  usedBefore: Readonly<Record<string, number>>,
  realHosts: readonly string[],
): Promise<void> {
  const answer = await api.readVolume(client, volume.id).catch((error: unknown) => error);
  if (!(answer instanceof ApiError) || answer.status !== 404) throw new Error('the API still knows the volume');
  const used = await api.usedSpace(client);
  const changed = Object.entries(used).filter(([device, kib]) => kib !== usedBefore[device]);
  if (changed.length > 0) throw new Error(`space is still taken: ${changed.map(([device]) => device).join(', ')}`);
  for (const host of realHosts) {
    const bricks = await gluster.mountedBricks(system.controlSocket, volume, host);
    if (bricks > 0) throw new Error(`${host} still has ${String(bricks)} of its bricks mounted`);
    const volumes = await gluster.glusterVolumes(system.controlSocket, host);
    if (volumes.includes(volume.name)) throw new Error(`Gluster on ${host} still knows ${volume.name}`);
  }
}

const describeFiles = ({ count, bytes }: WrittenFiles): string =>
  `${String(count)} files, ${String(Math.round(bytes / 1024))} KiB`;

function describeStatus({ position, nodes }: api.Status): string {
  const kinds = [...new Set(nodes.map(({ agent }) => agent.host ?? 'unknown'))].join(' and ');
  return `${String(nodes.length)} ${kinds} hosts, log at position ${String(position)}`;
}

function describeVolume({ name, size, bricks }: api.Volume): string {
  return `${name}, ${String(size)} GiB on ${String(bricks.length)} bricks`;
}

function describeHistory(events: readonly api.HistoryEntry[]): string {
  const lines = events
    .slice(0, HISTORY_SHOWN)
    .map(({ position, time, type }) => `            ${String(position).padStart(5)}  ${time}  ${type}`);
  const more = events.length > HISTORY_SHOWN ? [`            and ${String(events.length - HISTORY_SHOWN)} more`] : [];
  return [`${String(events.length)} events`, ...lines, ...more].join('\n');
}
