/** Which names Gluster takes for a volume. */

/** Words of its own command line: `gluster volume create all …` is refused, as seen with each of these and Gluster 10.3. */
const GLUSTER_WORDS = new Set([
  'activate-on-create',
  'all',
  'auto-delete',
  'description',
  'end-volume',
  'force',
  'help',
  'option',
  'snap-max-hard-limit',
  'snap-max-soft-limit',
  'subvolumes',
  'type',
  'volume',
  'volume_not_in_ring',
]);
/** heketi's letters; a name that begins with a hyphen would be taken for an option. */
const VOLUME_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

/** The longest name of a file: NAME_MAX of limits.h. */
const FILE_NAME_MAX = 255;

/** Whether a volume can have this name at all; how long it may be depends on its hosts (`volumeNameMax`). */
export const isGlusterVolumeName = (name: string): boolean => VOLUME_NAME.test(name) && !GLUSTER_WORDS.has(name);

/**
 * The longest name of a volume with this brick. Every glusterd keeps a file `NAME.HOST.PATH.vol` for each brick, the path
 * with hyphens for its inner slashes, and writes it as `….vol.tmp` first. What is longer fails when the volume is made,
 * and can leave the volume's folder behind, which is what a glusterd reads when it starts.
 */
export const volumeNameMax = (host: string, brickPath: string): number =>
  FILE_NAME_MAX - `.${host}.${brickPath.replace(/^\//, '')}.vol.tmp`.length;
