/** What a planned volume means in Gluster's words: sets, batches, options. Pure; refuses what Gluster would choke on. */
import { bricksPerSet, isGlusterVolumeName, type BrickLocation, type Durability } from '@brickyard/contracts';
import { partsOf } from '../../brick-path';
import { refusal } from '../step-failure';

/** The options that say whose volume it is; the second is what heketi's own tools look for. */
export const OWNER_OPTIONS = ['user.brickyard.id', 'user.heketi.id'] as const;

/** Off where bricks were added: clients then look for a file on every set. A missing file costs them a question to each. */
export const LOOKUP_OPTIMIZE = 'cluster.lookup-optimize';

/**
 * Times of files as an extended attribute, on unless told otherwise. Off where files are coded: bricks keep different access times
 * of a directory there, and once all of them differ Gluster's heal finds no majority and never heals the directory. Such volumes
 * need no stored times: a client takes the latest of the bricks'.
 */
const NO_STORED_TIMES = ['features.ctime', 'off'] as const;
/**
 * Seconds between two looks for what has to be healed; 60 is the least. Gluster looks when a brick connects, and now and then ends
 * that look before all is copied; its own ten minutes are too long for whoever moves a brick.
 */
const HEAL_SOON = ['cluster.heal-timeout', '60'] as const;

/** Sets in one add-brick command, as heketi has it: short command lines, and few commands. */
const SETS_PER_COMMAND = { none: 15, replicate: 5, arbiter: 5, disperse: 1 } as const;

const OPTION_KEY = /^[A-Za-z0-9_][A-Za-z0-9_.!-]*$/;

/** Refuses a name that Gluster's command line would take for something else. */
export function checkName(name: string): void {
  if (!isGlusterVolumeName(name)) throw refusal(`"${name}" cannot be the name of a Gluster volume`);
}

/** Bricks as Gluster names them; refuses a count that does not make whole sets (Gluster leaves a ghost volume then) and any path but ours. */
export function brickNames(bricks: readonly BrickLocation[], durability: Durability, mountRoot: string): string[] {
  const perSet = bricksPerSet(durability);
  if (bricks.length === 0 || bricks.length % perSet !== 0) {
    throw refusal(`${String(bricks.length)} bricks do not make whole sets of ${String(perSet)}`);
  }
  for (const { brickId, path } of bricks) {
    if (partsOf(path, mountRoot)?.brickId !== brickId)
      throw refusal(`${path} is not the directory of brick ${brickId}`);
  }
  const names = bricks.map(({ host, path }) => `${host}:${path}`);
  if (new Set(names).size !== names.length) throw refusal('a brick is named twice');
  return names;
}

/** The bricks of the first command, then of each further one. */
export function batchesOf(
  names: readonly string[],
  durability: Durability,
): { readonly first: readonly string[]; readonly further: readonly (readonly string[])[] } {
  const perSet = bricksPerSet(durability);
  return { first: names.slice(0, perSet), further: chunks(names.slice(perSet), durability) };
}

/** The bricks of each add-brick command. */
export function chunks(names: readonly string[], durability: Durability): readonly (readonly string[])[] {
  const size = SETS_PER_COMMAND[durability.kind] * bricksPerSet(durability);
  return Array.from({ length: Math.ceil(names.length / size) }, (_, index) =>
    names.slice(index * size, (index + 1) * size),
  );
}

/** Words between the name and the bricks of `volume create`. One replica is no replication: Gluster refuses the word. */
export function shapeWords(durability: Durability): readonly string[] {
  switch (durability.kind) {
    case 'none':
      return [];
    case 'replicate':
      return durability.replica === 1 ? [] : ['replica', String(durability.replica)];
    case 'arbiter':
      return ['replica', '3', 'arbiter', '1'];
    case 'disperse':
      return ['disperse-data', String(durability.data), 'redundancy', String(durability.redundancy)];
  }
}

/** One `volume set` command. */
export type Setting =
  | { readonly kind: 'pairs'; readonly pairs: readonly (readonly [key: string, value: string])[] }
  | { readonly kind: 'group'; readonly group: string };

/** What a shape needs, unless somebody wants it otherwise. */
function ownOptions(options: readonly string[], durability: Durability): (readonly [key: string, value: string])[] {
  const askedFor = new Set(options.map((text) => text.trim().split(/\s+/)[0]));
  const coded = durability.kind === 'disperse' ? [NO_STORED_TIMES] : [];
  const healed = bricksPerSet(durability) > 1 ? [HEAL_SOON] : [];
  return [...coded, ...healed].filter(([key]) => !askedFor.has(key));
}

/** The commands that set a volume's options, ours first, then as they were asked for; the owner last, so that it says "all done". */
export function settingsOf(options: readonly string[], volumeId: string, durability: Durability): readonly Setting[] {
  const settings: Setting[] = [];
  let pairs: (readonly [string, string])[] = ownOptions(options, durability);
  for (const option of options.map((text) => text.trim()).filter((text) => text !== '')) {
    const [key = '', ...rest] = option.split(/\s+/);
    const value = rest.join(' ');
    if (!OPTION_KEY.test(key) || value === '') throw refusal(`"${option}" is no Gluster option: write "key value"`);
    if (key !== 'group') pairs.push([key, value]);
    else {
      if (!OPTION_KEY.test(value)) throw refusal(`"${value}" is no group of Gluster options`);
      if (pairs.length > 0) settings.push({ kind: 'pairs', pairs });
      settings.push({ kind: 'group', group: value });
      pairs = [];
    }
  }
  const owner = OWNER_OPTIONS.map((key) => [key, volumeId] as const);
  return [...settings, { kind: 'pairs', pairs: [...pairs, ...owner] }];
}

/** Whose volume it is, as its options say; undefined when they say nothing. */
export const ownerOf = (options: Readonly<Record<string, string>>): string | undefined =>
  OWNER_OPTIONS.map((key) => options[key]).find((owner) => owner !== undefined);
