import type { Outcome } from '@brickyard/contracts';
import { MOUNT_ROOT } from '../../brick-path';
import { DONE, failureOf, learned, outcomeOf, presence } from '../step-failure';
import type { VolumeDriver } from '../volume.driver';
import { PATIENCE, type Patience } from './converge';
import type { Gluster, VolumeInfo } from './gluster.port';
import { awaitHeal, checkReplacement, isReplaced, replaceBrick } from './brick-replacement';
import { addPeer, removePeer } from './peer-changes';
import {
  clearClaim,
  createVolume,
  deleteVolume,
  expandVolume,
  rebalanceVolume,
  shrinkVolume,
  startVolume,
  stopVolume,
  type VolumeContext,
} from './volume-changes';
import { cloneVolume, deleteClone, findClone, pathOf } from './volume-clone';
import { ownerOf } from './volume-plan';
import { adoptVolume, changeOptions } from './volume-repair';

/** What the driver needs besides a Gluster to work on. */
export interface ConvergingOptions {
  readonly mountRoot?: string;
  readonly patience?: Patience;
}

const done = (step: () => Promise<unknown>): Promise<Outcome> =>
  outcomeOf(async () => {
    await step();
    return DONE;
  });

/** The volume driver on any Gluster: the real command line, or the recorded one. */
export function convergingVolumeDriver(gluster: Gluster, options: ConvergingOptions = {}): VolumeDriver {
  const { mountRoot = MOUNT_ROOT, patience = PATIENCE } = options;
  const context: VolumeContext = { gluster, mountRoot, patience };
  return {
    readHealth: () => gluster.health(),
    ensurePeer: (peer) => done(() => addPeer(gluster, peer, patience)),
    ensureNoPeer: (peer) => done(() => removePeer(gluster, peer, patience)),
    ensureVolume: (volume) => done(() => createVolume(context, volume)),
    ensureNoVolume: (volume) => done(() => deleteVolume(context, volume)),
    ensureAdopted: (volume) => done(() => adoptVolume(context, volume)),
    ensureOptions: (change) => done(() => changeOptions(context, change)),
    ensureStarted: (volume) =>
      outcomeOf(async () => {
        const { uuid, options: set } = await startVolume(context, volume);
        return learned({ kind: 'volume', uuid, options: set });
      }),
    ensureCloned: (cloning) => outcomeOf(async () => cloneTold(await cloneVolume(context, cloning))),
    ensureNoClone: (cloning) => done(() => deleteClone(context, cloning)),
    readClone: (cloning) => outcomeOf(async () => cloneTold(await findClone(context, cloning))),
    ensureStopped: (volume) => done(() => stopVolume(context, volume)),
    ensureBricksAdded: (expansion) =>
      outcomeOf(async () => learned({ kind: 'volume', ...(await expandVolume(context, expansion)) })),
    ensureBricksRemoved: (expansion) => done(() => shrinkVolume(context, expansion)),
    ensureReplaceable: (change) => done(() => checkReplacement(context, change)),
    ensureReplaced: (change) => done(() => replaceBrick(context, change)),
    readReplacement: (change) => outcomeOf(async () => presence(await isReplaced(context, change))),
    ensureHealed: (change) => done(() => awaitHeal(context, change)),
    ensureRebalance: (volume) => done(() => rebalanceVolume(context, volume)),
    ensureUnclaimed: (path) => done(() => clearClaim(context, path)),
    ensureServing: (isServable) => serve(gluster, isServable),
    readVolume: ({ volumeId, name }) =>
      outcomeOf(async () => {
        // Its owner is set last: without it the volume is not whole yet.
        const info = await gluster.volume(name);
        return presence(info !== undefined && ownerOf(info.options) === volumeId);
      }),
    readPeers: () => gluster.members(),
    readVolumes: async () =>
      (await gluster.volumes()).map(({ name, uuid, status, bricks, options: set, shape }) => ({
        name,
        uuid,
        status,
        bricks: bricks.map((brick) => brick.name),
        hostUuids: bricks.map(({ hostUuid }) => hostUuid),
        options: set,
        ...(shape === undefined ? {} : { shape }),
      })),
    readIdle: () => gluster.idleBricks(),
    readHeal: (name) => gluster.healPending(name),
  };
}

const cloneTold = (info: VolumeInfo | undefined): Outcome =>
  learned({
    kind: 'clone',
    paths: (info?.bricks ?? []).map(({ name }) => pathOf(name)),
    options: { ...info?.options },
  });

/** Forced, since a plain start refuses a started volume; so nothing is forced that is not known to be mounted. */
async function serve(gluster: Gluster, isServable: (path: string) => boolean): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [name, paths] of await gluster.idleBricks()) {
    const missing = paths.filter((path) => !isServable(path));
    if (missing.length > 0) {
      problems.push(`volume ${name} is not revived here: ${missing.join(', ')} is not mounted`);
      continue;
    }
    const reply = await gluster
      .start(name, true)
      .catch((error: unknown) => ({ ok: false, message: failureOf(error).detail }));
    if (!reply.ok)
      problems.push(`bricks of volume ${name} cannot be revived: ${'message' in reply ? reply.message : ''}`);
  }
  return problems;
}
