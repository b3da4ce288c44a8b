/** What the volume driver does to volumes, on any Gluster: look, act, look again. */
import type {
  BrickLocation,
  Durability,
  GlusterExpansion,
  GlusterVolumeRef,
  GlusterVolumeSpec,
} from '@brickyard/contracts';
import { bricksPerSet, isGlusterVolumeName } from '@brickyard/contracts';
import { clonePlaceOf, partsOf } from '../../brick-path';
import { failureOf as failureIn, passing, refusal } from '../step-failure';
import { type Change, converge, type Patience, until } from './converge';
import type { Gluster, Reply, VolumeInfo } from './gluster.port';
import {
  batchesOf,
  brickNames,
  checkName,
  chunks,
  LOOKUP_OPTIMIZE,
  ownerOf,
  type Setting,
  settingsOf,
} from './volume-plan';

const MIGRATION_TIMEOUT_MS = 30 * 60_000;
const MIGRATION_LOOK_MS = 1_000;
const LOOKS_MISSED_MAX = 60;
const MARKED = 'already part of a volume';

/** What the changes work on. */
export interface VolumeContext {
  readonly gluster: Gluster;
  readonly mountRoot: string;
  readonly patience: Patience;
}

const namesOf = (info: VolumeInfo | undefined): readonly string[] => info?.bricks.map(({ name }) => name) ?? [];

/** Creates the volume with its first set, adds the other sets, sets its options; goes on where a crash stopped it. */
export async function createVolume(context: VolumeContext, spec: GlusterVolumeSpec): Promise<void> {
  checkName(spec.name);
  const names = brickNames(spec.bricks, spec.durability, context.mountRoot);
  const settings = settingsOf(spec.options, spec.volumeId, spec.durability);
  const { first } = batchesOf(names, spec.durability);
  const before = await context.gluster.volume(spec.name);
  if (before === undefined) {
    await withClaimsCleared(context, spec.bricks, {
      failure: `volume ${spec.name} cannot be created`,
      isSeenUndone: true,
      isDone: async () => (await context.gluster.volume(spec.name)) !== undefined,
      act: () => context.gluster.create(spec.name, spec.durability, first),
    });
  }
  const made = before ?? (await context.gluster.volume(spec.name));
  if (made !== undefined) checkHalf(made, spec, names);
  await addMissing(context, spec, names, made);
  await applySettings(context, spec, settings, made?.options ?? {});
}

/** Refuses a volume of this name that is not ours: other bricks, other shape, other owner. */
function checkHalf(found: VolumeInfo, spec: GlusterVolumeSpec, names: readonly string[]): void {
  const listed = namesOf(found);
  const isPrefix = listed.every((name, index) => name === names[index]);
  const perSet = bricksPerSet(spec.durability);
  const owner = ownerOf(found.options);
  if (isPrefix && found.perSet === perSet && (owner === undefined || owner === spec.volumeId)) return;
  const whose = owner === undefined ? 'with other bricks' : `with owner ${owner}`;
  throw refusal(`a Gluster volume named ${spec.name} exists ${whose}; delete it or choose another name`);
}

async function applySettings(
  { gluster, patience }: VolumeContext,
  { name }: Pick<GlusterVolumeRef, 'name'>,
  settings: readonly Setting[],
  before: VolumeInfo['options'],
): Promise<void> {
  const failure = `the options of volume ${name} cannot be set`;
  const options = async (): Promise<VolumeInfo['options']> => (await gluster.volume(name))?.options ?? {};
  const last = settings.at(-1);
  if (last?.kind === 'pairs' && areSet(last.pairs, before)) return;
  for (const setting of settings) {
    if (setting.kind === 'group') {
      const act = (): Promise<Reply> => gluster.setGroup(name, setting.group);
      await converge({ failure, isDone: () => Promise.resolve(false), act }, patience);
      continue;
    }
    const { pairs } = setting;
    const act = (): Promise<Reply> => gluster.set(name, pairs);
    const isDone = async (): Promise<boolean> => areSet(pairs, await options());
    await converge({ failure, isSeenUndone: !areSet(pairs, before), isDone, act }, patience);
  }
}

const areSet = (pairs: readonly (readonly [string, string])[], options: VolumeInfo['options']): boolean =>
  pairs.every(([key, value]) => options[key] === value);

/** Adds those of the bricks that the volume does not list yet. */
async function addMissing(
  context: VolumeContext,
  { name, durability, bricks }: GlusterExpansion,
  names: readonly string[],
  before: VolumeInfo | undefined,
): Promise<void> {
  const listed = new Set(namesOf(before));
  const missing = names.filter((brick) => !listed.has(brick));
  checkWholeSets(names, missing, durability);
  for (const batch of chunks(missing, durability)) {
    await withClaimsCleared(context, bricks, {
      failure: `bricks cannot be added to volume ${name}`,
      isSeenUndone: true,
      isDone: async () => {
        const now = new Set(namesOf(await context.gluster.volume(name)));
        return batch.every((brick) => now.has(brick));
      },
      act: () => context.gluster.addBricks(name, batch),
    });
  }
}

function checkWholeSets(names: readonly string[], missing: readonly string[], durability: Durability): void {
  const gone = new Set(missing);
  const perSet = bricksPerSet(durability);
  const isWhole = names.every((name, index) => gone.has(name) === gone.has(names[index - (index % perSet)] ?? ''));
  if (!isWhole) throw refusal('the volume holds a part of a set of bricks; somebody changed it by hand');
}

/**
 * A try that failed half-way leaves its mark on brick directories, and Gluster refuses marked ones. Marks on this host's
 * own bricks are removed if no volume is known by them; those of other hosts are removed there, when their bricks are
 * ensured again.
 */
async function withClaimsCleared(
  context: VolumeContext,
  bricks: readonly BrickLocation[],
  change: Change,
): Promise<void> {
  const isMarked = (reply: Reply): boolean => !reply.ok && reply.message.includes(MARKED);
  const act = async (): Promise<Reply> => {
    const first = await change.act();
    if (!isMarked(first)) return first;
    for (const { path } of bricks) await clearClaim(context, path);
    const second = await change.act();
    if (second.ok || !isMarked(second)) return second;
    const detail = `${change.failure}: a brick is marked by a volume that was never finished: ${second.message}`;
    throw passing(detail, second.cause);
  };
  await converge({ ...change, act }, context.patience);
}

/** The directory carries no mark of a volume that nobody knows. */
export async function clearClaim({ gluster }: VolumeContext, path: string): Promise<void> {
  if (await gluster.hasStaleClaim(path)) await gluster.clearClaim(path);
}

/** Adds whole sets of bricks; tells the volume's UUID and the options that this needs. */
export async function expandVolume(
  context: VolumeContext,
  expansion: GlusterExpansion,
): Promise<Pick<VolumeInfo, 'uuid' | 'options'>> {
  const { name, durability, bricks } = expansion;
  checkName(name);
  const names = brickNames(bricks, durability, context.mountRoot);
  const info = await context.gluster.volume(name);
  if (info === undefined) throw refusal(`volume ${name} does not exist in Gluster; was it deleted by hand?`);
  checkOurs(info, expansion, context.mountRoot);
  await keepFilesInSight(context, info);
  await addMissing(context, expansion, names, info);
  return { uuid: info.uuid, options: { [LOOKUP_OPTIMIZE]: info.options[LOOKUP_OPTIMIZE] ?? 'off' } };
}

/**
 * Until a rebalance has been through, a mounted client looks for a file on the brick where the new layout has it. By
 * default it looks nowhere else and answers ENOENT for files that are there (seen for 4 to 6 s after an add-brick).
 * Whoever has set the option chose, and is left alone.
 */
async function keepFilesInSight(context: VolumeContext, { name, options }: VolumeInfo): Promise<void> {
  if (options[LOOKUP_OPTIMIZE] !== undefined) return;
  await applySettings(context, { name }, [{ kind: 'pairs', pairs: [[LOOKUP_OPTIMIZE, 'off']] }], options);
}

/** Moves the data off whole sets of bricks, then takes them out of the volume. */
export async function shrinkVolume(context: VolumeContext, expansion: GlusterExpansion): Promise<void> {
  const { gluster, patience } = context;
  const { name } = expansion;
  checkName(name);
  const names = brickNames(expansion.bricks, expansion.durability, context.mountRoot);
  const info = await gluster.volume(name);
  const listed = new Set(namesOf(info));
  const leaving = names.filter((brick) => listed.has(brick));
  if (info === undefined || leaving.length === 0) return;
  checkOurs(info, expansion, context.mountRoot);
  const failure = `bricks cannot be taken out of volume ${name}`;
  const isGone = async (): Promise<boolean> => {
    const now = new Set(namesOf(await gluster.volume(name)));
    return leaving.every((brick) => !now.has(brick));
  };
  await converge(
    {
      failure,
      isDone: async () => (await isGone()) || (await gluster.removal(name, leaving)).kind !== 'none',
      act: () => gluster.startRemoval(name, leaving),
    },
    patience,
  );
  await waitForMigration(context, name, leaving, failure);
  await converge({ failure, isDone: isGone, act: () => gluster.commitRemoval(name, leaving) }, patience);
}

async function waitForMigration(
  { gluster }: VolumeContext,
  name: string,
  leaving: readonly string[],
  failure: string,
): Promise<void> {
  let misses = 0;
  const isOver = async (): Promise<boolean> => {
    // A node whose migration has just ended may not answer for a moment.
    const migration = await gluster.removal(name, leaving).catch((error: unknown) => {
      if (!failureIn(error).transient || (misses += 1) > LOOKS_MISSED_MAX) throw error;
      return { kind: 'running' } as const;
    });
    if (migration.kind === 'failed') throw refusal(`${failure}: their data could not be moved: ${migration.message}`);
    return migration.kind !== 'running';
  };
  if (await until(isOver, MIGRATION_TIMEOUT_MS, MIGRATION_LOOK_MS)) return;
  throw passing(`${failure}: their data is still being moved; it goes on`);
}

/** Refuses to touch a volume that is not this one: another owner, or no owner and bricks that are not ours. */
export function checkOurs(info: VolumeInfo, { volumeId, name }: GlusterVolumeRef, mountRoot: string): void {
  const owner = ownerOf(info.options);
  if (owner === volumeId) return;
  if (owner !== undefined) throw refusal(`the Gluster volume named ${name} belongs to ${owner}, not to ${volumeId}`);
  // No owner yet: what an unfinished create of ours leaves has our kind of bricks.
  const areOurs = info.bricks.every(({ name: brick }) => {
    const path = brick.replace(/^[^/]*:/, '');
    return (partsOf(path, mountRoot) ?? clonePlaceOf(path)) !== undefined;
  });
  if (!areOurs) throw refusal(`the Gluster volume named ${name} was not made by Brickyard; it is left alone`);
}

/** Stops and deletes the volume; its bricks keep their content. */
export async function deleteVolume(context: VolumeContext, ref: GlusterVolumeRef): Promise<void> {
  const { gluster, patience } = context;
  if (!isGlusterVolumeName(ref.name)) return; // Gluster has none of such a name: nothing of it was ever made.
  const info = await gluster.volume(ref.name);
  if (info === undefined) return;
  checkOurs(info, ref, context.mountRoot);
  if (info.status === 'started') await stopVolume(context, ref);
  await converge(
    {
      failure: `volume ${ref.name} cannot be deleted`,
      isDone: async () => (await gluster.volume(ref.name)) === undefined,
      act: async () => (await memberAway(gluster)) ?? gluster.delete(ref.name),
    },
    patience,
  );
}

/**
 * Gluster refuses to delete while a member is not connected, but passes over one that is and has not finished its
 * handshake: that one keeps the volume and hands it to all others a moment later.
 */
async function memberAway(gluster: Gluster): Promise<Reply | undefined> {
  const away = (await gluster.members()).filter(({ connected, joined }) => !connected || !joined);
  if (away.length === 0) return undefined;
  const names = away.map(({ hostname }) => hostname).join(', ');
  const message = `some of the peers are down or have not joined again (peer status): ${names}`;
  return { ok: false, trouble: 'peer-away', message, cause: 'peer status' };
}

/**
 * Serves the volume, and tells it as it was just before. A brick whose directory is missing keeps the whole volume from
 * starting: better than half of it.
 */
export async function startVolume(
  { gluster, patience }: VolumeContext,
  { name }: GlusterVolumeRef,
): Promise<VolumeInfo> {
  checkName(name);
  const failure = `volume ${name} cannot be started`;
  let info: VolumeInfo | undefined;
  const isDone = async (): Promise<boolean> => {
    info = await gluster.volume(name);
    if (info === undefined) throw refusal(`${failure}: it does not exist in Gluster; was it deleted by hand?`);
    return info.status === 'started';
  };
  await converge({ failure, isDone, act: () => gluster.start(name, false) }, patience);
  if (info === undefined) throw refusal(`${failure}: nobody looked at it`);
  return info;
}

/** Serves it no more; a volume that is not there is stopped. */
export async function stopVolume({ gluster, patience }: VolumeContext, { name }: GlusterVolumeRef): Promise<void> {
  checkName(name);
  const isDone = async (): Promise<boolean> => (await gluster.volume(name))?.status !== 'started';
  await converge({ failure: `volume ${name} cannot be stopped`, isDone, act: () => gluster.stop(name) }, patience);
}

const NOTHING_TO_SPREAD = 'not a distribute volume';

/** Spreads the files over all bricks; a volume of one set has nothing to spread. */
export async function rebalanceVolume({ gluster, patience }: VolumeContext, { name }: GlusterVolumeRef): Promise<void> {
  checkName(name);
  const failure = `the rebalance of volume ${name} cannot be started`;
  const isDone = async (): Promise<boolean> => (await gluster.rebalance(name)).kind === 'running';
  const act = async (): Promise<Reply> => {
    const reply = await gluster.startRebalance(name);
    return !reply.ok && reply.message.includes(NOTHING_TO_SPREAD) ? { ok: true } : reply;
  };
  await converge({ failure, isDone, act }, patience);
}
