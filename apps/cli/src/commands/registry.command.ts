/** The registry of images: what a tag pointed to, and what its operator asks for. */
import { Unavailable } from '@brickyard/service-host/client';
import type { Command } from 'commander';
import { z } from 'zod';
import { type Context, parseMoment } from '../context';
import { UsageError } from '../exit-codes';
import { act, type Shell } from './act';

const RegistryFlags = z.object({ registry: z.string().optional() });
const DryFlags = RegistryFlags.extend({ dryRun: z.boolean().default(false) });
const WritesFlags = RegistryFlags.extend({ reason: z.string().default('') });

const ImageHistory = z.object({
  repository: z.string(),
  events: z.array(
    z.looseObject({
      position: z.int(),
      time: z.string(),
      type: z.string(),
      actor: z.looseObject({ name: z.string(), address: z.string().optional() }),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
});

/** The registry's address: its flag wins over the environment. */
function registryUrl(context: Context, given: string | undefined): string {
  const url = given ?? context.outside.env['BRICKYARD_REGISTRY_URL'];
  if (url !== undefined && /^https?:\/\//.test(url) && URL.canParse(url)) return url.replace(/\/$/, '');
  throw new UsageError('no registry: give --registry URL or set BRICKYARD_REGISTRY_URL');
}

/** Asks the registry as the API's user admin. */
async function ask(
  context: Context,
  url: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { options, outside } = context;
  const key = options.secret ?? outside.env['BRICKYARD_KEY'] ?? outside.env['HEKETI_CLI_KEY'] ?? '';
  const authorization = `Basic ${Buffer.from(`admin:${key}`).toString('base64')}`;
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const response = await fetch(`${url}${path}`, { method, headers, ...sent }).catch((cause: unknown) => {
    throw new Unavailable(`the registry at ${url} does not answer`, { cause });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  const { error, detail } = z
    .looseObject({ error: z.string().optional(), detail: z.string().optional() })
    .parse(answer ?? {});
  const text = [error ?? `the registry answered ${String(response.status)}`, detail].filter(
    (part) => part !== undefined,
  );
  if (response.status === 503) throw new Unavailable(text.join(': '));
  throw new Error(text.join(': '));
}

/** `app:latest`, `team/app` or `team/app:v1`. */
function imageFrom(text: string): { readonly repository: string; readonly tag: string | undefined } {
  const at = text.lastIndexOf(':');
  if (text === '') throw new UsageError('which image? write repository:tag');
  return at === -1 ? { repository: text, tag: undefined } : { repository: text.slice(0, at), tag: text.slice(at + 1) };
}

/** Every move of an image's tags, or of one of them, up to the moment asked for; who did it. */
export async function imageHistory(
  context: Context,
  image: string,
  limit: number | undefined,
  given?: string,
): Promise<void> {
  const { repository, tag } = imageFrom(image);
  const query = new URLSearchParams({ repository, limit: String(limit ?? 1_000) });
  if (tag !== undefined) query.set('tag', tag);
  const answer = await ask(context, registryUrl(context, given), 'GET', `/v1/registry/history?${query.toString()}`);
  const until = context.options.at === undefined ? undefined : parseMoment(context.options.at);
  const events = ImageHistory.parse(answer).events.filter(({ position, time }) => {
    if (until === undefined) return true;
    return /^\d+$/.test(until) ? position <= Number(until) : time <= until;
  });
  const shown = events.filter(({ type }) => tag === undefined || type.startsWith('Tag'));
  const rows = shown.map(({ position, time, type, actor, data }) => [
    String(position),
    time,
    type,
    typeof data['tag'] === 'string' ? data['tag'] : '',
    typeof data['digest'] === 'string' ? data['digest'] : '',
    [actor.name, actor.address].filter((part) => part !== undefined).join(' from '),
  ]);
  context.print(shown, () => context.table(['POSITION', 'TIME', 'EVENT', 'TAG', 'DIGEST', 'BY'], rows));
}

/** `brickyard registry gc|retention|scrub|read-only|writable|rebuild|import|export`. */
export function registryCommands(program: Command, shell: Shell): void {
  const registry = program.command('registry').description('the registry of container images');
  const add = (text: string, description: string): Command =>
    registry
      .command(text)
      .description(description)
      .option('--registry <url>', 'its URL; BRICKYARD_REGISTRY_URL when absent');
  const tell = (context: Context, answer: unknown): void => {
    context.print(answer, () => [JSON.stringify(answer, undefined, 2)]);
  };
  const dry = [
    ['gc', 'remove what nobody needs'],
    ['retention', 'apply the rules of retention'],
    ['rebuild', 'fill an empty log from the copy on the volume'],
  ] as const;
  for (const [name, description] of dry) {
    const command = add(name, description).option('--dry-run', 'only tell what would be done');
    act(shell, command, DryFlags, async (context, _, { registry: given, dryRun }) => {
      const query = dryRun ? '?dry-run=1' : '';
      tell(context, await ask(context, registryUrl(context, given), 'POST', `/v1/registry/${name}${query}`));
      return undefined;
    });
  }
  act(
    shell,
    add('scrub', 'read every blob again and check it'),
    RegistryFlags,
    async (context, _, { registry: given }) => {
      tell(context, await ask(context, registryUrl(context, given), 'POST', '/v1/registry/scrub'));
      return undefined;
    },
  );
  for (const isReadOnly of [true, false]) {
    const command = add(isReadOnly ? 'read-only' : 'writable', isReadOnly ? 'pulls only' : 'pushes again').option(
      '--reason <text>',
      'what those who push are told',
    );
    act(shell, command, WritesFlags, async (context, _, { registry: given, reason }) => {
      const body = { isReadOnly, reason };
      tell(context, await ask(context, registryUrl(context, given), 'POST', '/v1/registry/writes', body));
      return undefined;
    });
  }
  for (const name of ['import', 'export'] as const) {
    const description =
      name === 'import' ? 'take over a data folder of the open-source registry' : 'write such a folder';
    act(
      shell,
      add(name, description).argument('<folder>'),
      RegistryFlags,
      async (context, args, { registry: given }) => {
        const url = registryUrl(context, given);
        tell(context, await ask(context, url, 'POST', `/v1/registry/${name}`, { folder: args[0] ?? '' }));
        return undefined;
      },
    );
  }
}
