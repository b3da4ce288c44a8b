/** One mounted file system, as /proc/<pid>/mountinfo tells it (proc(5)). */
export interface Mount {
  readonly target: string;
  readonly type: string;
  readonly source: string;
}

/** Reads mountinfo; spaces in paths are written there as octal escapes. */
export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [type = '', source = ''] = after.split(' ');
      return { target: unescape(before.split(' ')[4] ?? ''), type, source: unescape(source) };
    });
}

/** The targets, in the order in which they can be unmounted: the latest first. */
export const unmountOrder = (mounts: readonly Mount[]): string[] => mounts.map((mount) => mount.target).reverse();

/** True for a path inside the directory, or the directory itself. */
export const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
