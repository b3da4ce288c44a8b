/** How one brick of a running volume is replaced without losing a byte: ask the set first, then act, then wait for the heal. */
import type { BrickLocation, Durability, GlusterReplacement } from '@brickyard/contracts';
import { partsOf } from '../../brick-path';
import { passing, refusal } from '../step-failure';
import { converge, until } from './converge';
import type { BrickHeal, VolumeInfo } from './gluster.port';
import { checkName, ownerOf } from './volume-plan';
import type { VolumeContext } from './volume-changes';

/** A write in flight shows as an entry for a moment: it is given time to pass before it counts. */
const ENTRIES_PATIENCE_MS = 20_000;
const LOOK_MS = 1_000;
/** After this the task is handed back, so that another agent may wait; what was healed stays healed. */
const HEAL_PATIENCE_MS = 10 * 60_000;

const nameOf = ({ host, path }: BrickLocation): string => `${host}:${path}`;

/** How many of the other bricks of a set must answer: heketi's numbers. Together they hold every byte. */
export function peersNeeded(durability: Durability): number {
  switch (durability.kind) {
    case 'none':
      return 1;
    case 'replicate':
      return durability.replica === 3 ? 2 : 1;
    case 'arbiter':
      return 2;
    case 'disperse':
      return durability.data;
  }
}

/** Where the brick stands in the volume. */
interface Standing {
  readonly info: VolumeInfo;
  /** Index of the first brick of its set. */
  readonly first: number;
  readonly index: number;
}

function standingIn(info: VolumeInfo | undefined, { name, volumeId }: GlusterReplacement, brick: string): Standing {
  if (info === undefined) throw refusal(`volume ${name} does not exist in Gluster; was it deleted by hand?`);
  const owner = ownerOf(info.options);
  if (owner !== undefined && owner !== volumeId) throw refusal(`the Gluster volume ${name} belongs to ${owner}`);
  const index = info.bricks.findIndex((listed) => listed.name === brick);
  if (index < 0) throw refusal(`${brick} is no brick of volume ${name} in Gluster; somebody changed it by hand`);
  return { info, index, first: index - (index % info.perSet) };
}

const setOf = ({ info, first }: Standing, heals: readonly BrickHeal[]): readonly BrickHeal[] =>
  heals.slice(first, first + info.perSet);

/** Whether the replacement stands in the brick's place. */
export const isReplaced = async ({ gluster }: VolumeContext, change: GlusterReplacement): Promise<boolean> =>
  isReplacedIn(await gluster.volume(change.name), change);

function isReplacedIn(info: VolumeInfo | undefined, change: GlusterReplacement): boolean {
  const listed = new Set(info?.bricks.map(({ name }) => name));
  return listed.has(nameOf(change.replacement)) && !listed.has(nameOf(change.leaving));
}

/**
 * Refuses when other bricks need what this one has, or when the others cannot stand in for it. An earlier command that was
 * not answered may come through at any moment, and is no reason to refuse: both questions go to one look at the volume, and
 * a refusal is only said of a volume that has the brick still.
 */
export async function checkReplacement(context: VolumeContext, change: GlusterReplacement): Promise<void> {
  checkName(change.name);
  const info = await context.gluster.volume(change.name);
  if (isReplacedIn(info, change)) return;
  const standing = standingIn(info, change, nameOf(change.leaving));
  if (change.healCheck === 'disable') return;
  const { brickId } = change.leaving;
  if (info?.status !== 'started') {
    throw refusal(`Cannot replace brick ${brickId}: volume ${change.name} is stopped, and only a running one can heal`);
  }
  let problem: string | undefined;
  const isSafe = async (): Promise<boolean> => {
    const heals = await context.gluster.heal(change.name);
    problem = problemOf(brickId, standing, heals, change.durability);
    return problem === undefined;
  };
  if (await until(isSafe, Math.min(ENTRIES_PATIENCE_MS, context.patience.awayMs * 2), LOOK_MS)) return;
  if (await isReplaced(context, change)) return;
  throw refusal(problem ?? `Unable to determine heal status of brick ${brickId}`);
}

/** heketi's reasons in heketi's words. */
function problemOf(
  brickId: string,
  standing: Standing,
  heals: readonly BrickHeal[] | undefined,
  durability: Durability,
): string | undefined {
  if (heals?.length !== standing.info.bricks.length) {
    return standing.info.perSet === 1
      ? `Cannot replace brick ${brickId} as only 0 of ${String(peersNeeded(durability))} required peer bricks are online`
      : `Unable to determine heal status of brick ${brickId}`;
  }
  const own = heals[standing.index];
  if (own?.connected === true && (own.pending ?? 0) > 0) {
    return `Cannot replace brick ${brickId} as it is source brick for data to be healed`;
  }
  const peers = setOf(standing, heals).filter((heal) => heal !== own && heal.connected).length;
  const needed = peersNeeded(durability);
  if (peers >= needed) return undefined;
  return `Cannot replace brick ${brickId} as only ${String(peers)} of ${String(needed)} required peer bricks are online`;
}

/** The replacement serves in the brick's place; what the set thinks of that is asked again just before. */
export async function replaceBrick(context: VolumeContext, change: GlusterReplacement): Promise<void> {
  const { gluster, mountRoot, patience } = context;
  const { name, leaving, replacement } = change;
  if (partsOf(replacement.path, mountRoot)?.brickId !== replacement.brickId) {
    throw refusal(`${replacement.path} is not the directory of brick ${replacement.brickId}`);
  }
  await checkReplacement(context, change);
  await converge(
    {
      failure: `brick ${leaving.brickId} of volume ${name} cannot be replaced`,
      isDone: () => isReplaced(context, change),
      act: () => gluster.replaceBrick(name, nameOf(leaving), nameOf(replacement)),
    },
    patience,
  );
}

/** How much the set still has to copy; undefined while a brick of it does not answer. */
async function pendingIn(context: VolumeContext, change: GlusterReplacement): Promise<number | undefined> {
  const { name } = change;
  checkName(name);
  const standing = standingIn(await context.gluster.volume(name), change, nameOf(change.replacement));
  if (standing.info.status !== 'started') {
    throw passing(`volume ${name} is stopped and cannot heal: start it, \`gluster volume start ${name}\``);
  }
  const heals = await context.gluster.heal(name);
  if (heals?.length !== standing.info.bricks.length) return undefined;
  return setOf(standing, heals).reduce<number | undefined>(
    (sum, { pending }) => (sum === undefined || pending === undefined ? undefined : sum + pending),
    0,
  );
}

/** Waits until nothing is left to heal: seen twice in a row, since the last entry goes before the next is found. */
export async function awaitHeal(context: VolumeContext, change: GlusterReplacement): Promise<void> {
  let pending: number | undefined;
  let seen = 0;
  const isHealed = async (): Promise<boolean> => {
    pending = await pendingIn(context, change);
    seen = pending === 0 ? seen + 1 : 0;
    return seen >= 2;
  };
  const { name } = change;
  if (await until(isHealed, HEAL_PATIENCE_MS, Math.min(LOOK_MS, context.patience.pauseMsMax))) return;
  throw passing(
    pending === undefined
      ? `volume ${name} cannot heal: a brick of the set does not answer; bring its host back`
      : `volume ${name} still heals: ${String(pending)} entries wait to be copied`,
  );
}
