/** What heketi-cli says when its words are not understood. Pure. */

/** What is missing, by noun; a verb after it wins. */
const MISSING: Readonly<Record<string, string>> = {
  cluster: 'Cluster id missing',
  node: 'Node id missing',
  device: 'Device id missing',
  'device enable': 'device id missing',
  'device disable': 'device id missing',
  volume: 'Volume id missing',
  blockvolume: 'Volume id missing',
  'brick evict': 'Brick id missing',
  'server mode set': 'missing mode argument',
  'loglevel set': 'missing log-level argument',
};

const FLAGS: Readonly<Record<string, string>> = {
  size: 'Missing volume size',
  zone: 'Missing zone',
  cluster: 'Missing cluster id',
  'management-host-name': 'Missing management hostname',
  'storage-host-name': 'Missing storage hostname',
  name: 'Missing device name',
  node: 'Missing node id',
};

function missing(words: readonly string[], argument: string): string | undefined {
  if (/(set|rm)tags$/.test(words.join(' '))) {
    return argument === 'tags' ? 'at least one tag:value pair expected' : 'id required';
  }
  return MISSING[words.join(' ')] ?? MISSING[words[0] ?? ''];
}

/** By the parser's own text: what heketi-cli says of the same. */
const RULES: readonly (readonly [RegExp, (words: readonly string[], found: string) => string | undefined])[] = [
  [/^missing required argument '(\w+)'/, missing],
  [/^required option '.*--([\w-]+) <.*not specified/, (_, flag) => FLAGS[flag]],
  [/^unknown option '(.+?)'/, (_, flag) => `unknown flag: ${flag}`],
  [/^option '.*(--[\w-]+) <.*argument missing/, (_, flag) => `flag needs an argument: ${flag}`],
  [
    /^too many arguments for '(.+?)'/,
    (_, verb) => `${verb === 'evict' ? 'Too' : 'too'} many arguments${verb === 'evict' ? ' provided' : ''}`,
  ],
  [
    /^unknown command '(.+?)'/,
    (_, word) => `unknown command "${word}" for "heketi-cli"\nRun 'heketi-cli --help' for usage.`,
  ],
];

/** The parser's complaint about a command, `words` being its nouns and verb, as heketi-cli puts it. */
export function heketiComplaint(words: readonly string[], text: string): string {
  const told = text.trim().replace(/^error: /, '');
  for (const [pattern, say] of RULES) {
    const found = pattern.exec(told);
    const said = found === null ? undefined : say(words, found[1] ?? '');
    if (said !== undefined) return `Error: ${said}\n`;
  }
  return `Error: ${told}\n`;
}
