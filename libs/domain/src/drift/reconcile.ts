/** How a difference can be settled: by taking it as it is, or by making the hosts agree; and why not, where not. Pure. */
import type { DriftClass, DriftFinding } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';

/** One way to settle a difference. */
export type Proposal =
  { readonly possible: true; readonly does: string } | { readonly possible: false; readonly reason: string };

/** Both ways. */
export interface Proposals {
  readonly accept: Proposal;
  readonly restore: Proposal;
}

const can = (does: string): Proposal => ({ possible: true, does });
const cannot = (reason: string): Proposal => ({ possible: false, reason });

type Table = Readonly<Record<DriftClass, (finding: DriftFinding, state: ControlState) => Proposals>>;

const TABLE: Table = {
  'volume-missing': ({ found, subject }, state) => ({
    accept: holdsBlockVolumes(subject, state)
      ? cannot('block volumes lie on it: restore it, or delete them first')
      : can('forgets the volume and removes its bricks, with all they hold'),
    restore: hasBricksOfOthers(subject, state)
      ? cannot(
          'not all of its bricks were made here: those of a clone, or of a volume that was taken over, are left alone',
        )
      : found === ''
        ? can('mounts its bricks, makes the volume anew around the data they hold, and starts it')
        : cannot('other members still know the volume: Gluster tells it to this host once that is a full member again'),
  }),
  'volume-unknown': ({ subject }) => ({
    accept: cannot('only volumes whose bricks were placed here are managed: create a volume and copy the data'),
    restore: isRemovable(subject)
      ? can('stops and deletes the volume in Gluster; what its bricks hold stays')
      : cannot('the volume was not made by Brickyard and is left alone: delete it with gluster if nobody needs it'),
  }),
  'volume-stopped': () => ({
    accept: cannot('a volume is served or deleted: restore starts it again, `volume delete` removes it'),
    restore: can('starts the volume'),
  }),
  'bricks-differ': () => ({
    accept: cannot('bricks are placed here and nowhere else: undo the change with gluster, or replace the volume'),
    restore: cannot(
      'which bricks hold the data cannot be seen from here: undo the add-brick, remove-brick or replace-brick with gluster',
    ),
  }),
  'option-changed': ({ found }) => ({
    accept: can(found === '' ? 'the option stays unset from now on' : 'the option keeps this value from now on'),
    restore: can('sets the option as it was'),
  }),
  'brick-unmounted': () => ({
    accept: cannot('a brick that is not mounted serves nothing: restore mounts it, `volume delete` removes it'),
    restore: can('mounts the file system again and starts the process of the brick'),
  }),
  'brick-stopped': () => ({
    accept: cannot('a brick that is not served leaves its data behind: restore starts it'),
    restore: can('starts the process of the brick'),
  }),
  'brick-missing': () => ({
    accept: cannot('the volume needs the brick: its data has to come from the other bricks of its set'),
    restore: cannot(
      'the data of the brick is gone from its device: remove the device, so that its bricks are made anew elsewhere',
    ),
  }),
  'brick-unknown': ({ subject }, state) => ({
    accept: cannot('a brick belongs to a volume of the log; when the log was lost, rebuild it'),
    restore: isOnKnownDevice(subject, state)
      ? can('removes the brick, with all it holds')
      : cannot('the brick lies on a device that the log has not'),
  }),
  'device-missing': () => ({
    accept: cannot('set the device offline, then failed, and remove it'),
    restore: cannot('bring the device back on its host; it is known again by the mark it carries'),
  }),
  'size-differs': ({ subject }) =>
    subject.kind === 'device'
      ? {
          accept: can('the device has this size from now on'),
          restore: cannot('the size of a device is what it is'),
        }
      : {
          accept: cannot('the size of a brick follows from its volume'),
          restore: cannot('a file system cannot be shrunk: make a volume of the wanted size and copy the data'),
        },
  'peer-missing': () => ({
    accept: cannot('a node that is no peer serves nothing: restore makes it a peer again, or remove the node'),
    restore: can('probes the node from another member'),
  }),
  'peer-unknown': () => ({
    accept: cannot('add the host as a node'),
    restore: cannot('the host was not made a peer by Brickyard: `gluster peer detach` it if nobody needs it'),
  }),
};

/** What is proposed for a difference, in the state as it is. */
export const proposalsFor = (finding: DriftFinding, state: ControlState): Proposals =>
  TABLE[finding.class](finding, state);

/** A stamp of ours, or no stamp and bricks of ours: what an unfinished creation leaves. */
const isRemovable = (subject: DriftFinding['subject']): boolean =>
  subject.kind === 'unknown-volume' &&
  (/^[0-9a-f]{32}$/.test(subject.owner) || (subject.owner === '' && subject.hasOurBricks));

const holdsBlockVolumes = (subject: DriftFinding['subject'], { volumes }: ControlState): boolean =>
  subject.kind === 'volume' && (volumes.get(subject.volumeId)?.hosting?.blockVolumeIds.length ?? 0) > 0;

/** Bricks of a clone are Gluster's making, and those of an adopted volume somebody's. */
const hasBricksOfOthers = (subject: DriftFinding['subject'], { volumes }: ControlState): boolean =>
  subject.kind === 'volume' &&
  volumes.get(subject.volumeId)?.bricks.some(({ path }) => !path.includes('/vg_')) === true;

const DEVICE_ID = /\/vg_([0-9a-f]{32})\/brick_[0-9a-f]{32}\/brick$/;

function isOnKnownDevice(subject: DriftFinding['subject'], state: ControlState): boolean {
  if (subject.kind !== 'unknown-brick') return false;
  const [, deviceId] = DEVICE_ID.exec(subject.path) ?? [];
  return (state.nodes.get(subject.nodeId)?.deviceIds ?? []).some((known) => known === deviceId);
}

/** Classes that a policy may let be restored without a human: nothing is decided, nothing can be lost. */
export const isTrivial = (kind: DriftClass): boolean => kind === 'brick-unmounted' || kind === 'brick-stopped';
