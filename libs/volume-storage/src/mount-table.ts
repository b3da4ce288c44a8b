/** One line of `/proc/self/mountinfo`, as far as it matters here. */
export interface MountEntry {
  readonly directory: string;
  readonly type: string;
  readonly source: string;
}

/** Reads `/proc/self/mountinfo`: proc(5). Lines that are not understood are left out. */
export function parseMountInfo(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after] = line.split(' - ');
    const directory = before.split(' ')[4];
    const [type, source] = (after ?? '').split(' ');
    if (directory === undefined || type === undefined || source === undefined) return [];
    return [{ directory: unescaped(directory), type, source: unescaped(source) }];
  });
}

/** What is mounted on a directory: the last mount hides those before it. */
export function mountOn(entries: readonly MountEntry[], directory: string): MountEntry | undefined {
  return entries.findLast((entry) => entry.directory === directory);
}

/** Whether a mount is the GlusterFS volume `host:name` that one of the given hosts serves. */
export function isVolumeMount(entry: MountEntry, device: string, hosts: readonly string[]): boolean {
  const [wanted, mounted] = [partsOf(device), partsOf(entry.source)];
  const servers = [wanted.host, ...hosts];
  return entry.type === 'fuse.glusterfs' && mounted.volume === wanted.volume && servers.includes(mounted.host);
}

/** A device is `host:volume` or `host:/volume`; an address of IPv6 has colons itself. */
function partsOf(device: string): { readonly host: string; readonly volume: string } {
  const at = device.lastIndexOf(':');
  return { host: device.slice(0, at), volume: device.slice(at + 1).replace(/^\//, '') };
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
