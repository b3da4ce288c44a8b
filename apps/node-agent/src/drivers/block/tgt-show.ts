/** What `tgtadm --op show --mode target` says, as far as it matters here. Pure. */

/** A target as the daemon has it. */
export interface ShownTarget {
  readonly tid: number;
  readonly iqn: string;
  readonly luns: readonly ShownLun[];
  readonly accounts: readonly string[];
  /** Who may see it: `ALL`, addresses. */
  readonly acl: readonly string[];
}

/** A unit of a target. */
export interface ShownLun {
  readonly lun: number;
  readonly path: string;
  /** In millions of bytes, rounded: all the daemon tells. */
  readonly sizeMb: number;
  readonly isOnline: boolean;
}

/** Reads the whole list; a line of another form belongs to what is not asked. */
export function targetsIn(text: string): readonly ShownTarget[] {
  return text
    .split(/^(?=Target \d+: )/m)
    .filter((part) => part.startsWith('Target '))
    .map(targetIn);
}

function targetIn(text: string): ShownTarget {
  const [, tid = '', iqn = ''] = /^Target (\d+): (\S+)/.exec(text) ?? [];
  return {
    tid: Number(tid),
    iqn,
    luns: text
      .split(/^ +(?=LUN: \d+)/m)
      .slice(1)
      .map(lunIn),
    accounts: section(text, 'Account information'),
    acl: section(text, 'ACL information'),
  };
}

function lunIn(text: string): ShownLun {
  const [, lun = ''] = /^LUN: (\d+)/.exec(text) ?? [];
  const [, size = '0'] = /^ +Size: (\d+) MB/m.exec(text) ?? [];
  const [, path = ''] = /^ +Backing store path: (.*)$/m.exec(text) ?? [];
  return { lun: Number(lun), path: path.trim(), sizeMb: Number(size), isOnline: /^ +Online: Yes/m.test(text) };
}

/** The lines under a title, up to the next title. */
function section(text: string, title: string): readonly string[] {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.trim() === `${title}:`);
  if (from < 0) return [];
  const under = lines.slice(from + 1);
  const end = under.findIndex((line) => /^ {0,4}\S/.test(line));
  return (end < 0 ? under : under.slice(0, end))
    .map((line) => line.trim().replace(/ \(outgoing\)$/, ''))
    .filter((line) => line !== '');
}
