/** Tags of nodes and devices: `name:value` words, as heketi-cli takes them. */
import type { Command } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-codes';
import { act, type Shell } from './act';
import { idOf } from './named';

const SetFlags = z.object({ exact: z.boolean().default(false) });
const RemoveFlags = z.object({ all: z.boolean().default(false) });
const Tags = z.record(z.string(), z.string());

/** `rack:r1` as a pair; the value may hold colons. */
export function tagFrom(word: string): readonly [string, string] {
  const at = word.indexOf(':');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new UsageError(
    `not a tag: ${word}; write name:value`,
    `expected colon (:) between tag name and value, got: ${word}`,
  );
}

/** Hangs `settags` and `rmtags` on a noun; `path` is the noun's route. */
export function tagCommands(noun: Command, shell: Shell, path: 'nodes' | 'devices'): void {
  const set = noun
    .command('settags')
    .argument('<id>')
    .argument('<tags...>', 'name:value')
    .description('set tags; others stay')
    .option('-e, --exact', 'these tags and no others');
  act(shell, set, SetFlags, async (context, [id = '', ...words], { exact }) => {
    context.refuseAt();
    const tags = Object.fromEntries(words.map(tagFrom));
    const body = { tags, change_type: exact ? 'set' : 'update' };
    const { body: now } = await context.api.post(
      `/${path}/${await idOf(context, path === 'nodes' ? 'node' : 'device', id)}/tags`,
      body,
    );
    context.confirm(now, tagLine(now), '');
    return undefined;
  });
  const remove = noun
    .command('rmtags')
    .aliases(['deltags', 'removetags'])
    .argument('<id>')
    .argument('[names...]')
    .description('remove tags')
    .option('--all', 'all of them');
  act(shell, remove, RemoveFlags, async (context, [id = '', ...names], { all }) => {
    context.refuseAt();
    if (all === names.length > 0) {
      const heketi = all ? '--all may not be combined with named tags' : 'at least one tag expected';
      throw new UsageError('name the tags to remove, or give --all', heketi);
    }
    const tags = Object.fromEntries(names.map((name) => [name, '']));
    const body = all ? { tags: {}, change_type: 'set' } : { tags, change_type: 'delete' };
    const { body: now } = await context.api.post(
      `/${path}/${await idOf(context, path === 'nodes' ? 'node' : 'device', id)}/tags`,
      body,
    );
    context.confirm(now, tagLine(now), '');
    return undefined;
  });
}

function tagLine(now: unknown): string {
  const tags = Object.entries(Tags.catch({}).parse(now)).map(([name, value]) => `${name}:${value}`);
  return tags.length === 0 ? 'No tags' : `Tags: ${tags.join(' ')}`;
}
