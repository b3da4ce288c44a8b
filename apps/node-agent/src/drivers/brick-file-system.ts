/** How the XFS of a brick is made, whatever carries it. */

/**
 * Since version 5.19 mkfs.xfs makes nothing below 300 MiB unless it is told that this is known. An arbiter brick holds
 * names only and may be as small as 16 MiB; the kernel mounts such a file system as any other.
 */
const UNASKED_KIB_MIN = 300 * 1024;
/** The least an XFS can have, 16 MiB: that of the smallest arbiter. */
export const XFS_KIB_MIN = 16 * 1024;

/** The command that makes the file system; not forced unless asked: mkfs itself refuses a device that holds something. */
export const mkfsWords = (sizeKib: number, device: string, more: readonly string[] = []): readonly string[] => [
  'mkfs.xfs',
  '-q',
  ...(sizeKib < UNASKED_KIB_MIN ? ['--unsupported'] : []),
  '-i',
  'size=512',
  '-n',
  'size=8192',
  ...more,
  device,
];
