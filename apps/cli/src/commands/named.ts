/** What people call things: where an id is wanted, a name or the beginning of an id does, when it means one thing. */
import { z } from 'zod';
import type { Context } from '../context';
import { UsageError } from '../exit-codes';
import { ID, idFrom } from './act';

/** The shortest beginning of an id that is taken for one. */
const BEGINNING = /^[0-9a-f]{4,31}$/;
/** A volume's name, a host's, or a host's with the path of a device: nothing else need be asked for. */
const NAME = /^[\w.:-]+(:\/.+)?$/;
const CANDIDATES_MAX = 1_000;
/** So many are told when a name means several. */
const TOLD_MAX = 5;

const Volumes = z.object({ volumes: z.array(z.object({ id: z.string(), name: z.string() })) });
const Devices = z.array(z.object({ id: z.string(), name: z.string() }));
const Nodes = z.object({ nodes: z.array(z.object({ id: z.string(), host: z.string(), devices: Devices })) });

interface Named {
  readonly id: string;
  readonly name: string;
}

/** What can be called by a name: a volume by its own, a node by its host's, a device by both, as in `host:/dev/sdb`. */
export type NamedKind = 'volume' | 'node' | 'device';

const finders: Readonly<Record<NamedKind, (context: Context, text: string) => Promise<readonly Named[]>>> = {
  async volume(context, text) {
    const path = `/v1/overview/volumes?search=${encodeURIComponent(text)}&limit=${String(CANDIDATES_MAX)}`;
    return (await context.get(path, Volumes)).volumes;
  },
  async node(context) {
    return (await context.get('/v1/overview', Nodes)).nodes.map(({ id, host }) => ({ id, name: host }));
  },
  async device(context) {
    const { nodes } = await context.get('/v1/overview', Nodes);
    return nodes.flatMap(({ host, devices }) => devices.map(({ id, name }) => ({ id, name: `${host}:${name}` })));
  },
};

/**
 * The id of what an argument means. A whole name goes before beginnings of ids. heketi-cli takes ids alone, and so does the
 * command when it is called so. UsageError when nothing or more than one thing is meant.
 */
export async function idOf(context: Context, kind: NamedKind, text = '', heketi?: string): Promise<string> {
  if (ID.test(text) || !NAME.test(text) || context.isHeketi) return idFrom([text], heketi);
  const found = await finders[kind](context, text);
  const called = found.filter(({ name }) => name === text);
  const meant = called.length > 0 ? called : found.filter(({ id }) => BEGINNING.test(text) && id.startsWith(text));
  const [one, ...others] = meant;
  if (one === undefined) throw new UsageError(`no ${kind} is called ${text}, and no ${kind}'s id begins so`);
  if (others.length === 0) return one.id;
  const told = meant.slice(0, TOLD_MAX).map(({ id, name }) => `${id} (${name})`);
  const more = meant.length > TOLD_MAX ? ` and ${String(meant.length - TOLD_MAX)} more` : '';
  throw new UsageError(`${text} means ${String(meant.length)} ${kind}s: ${told.join(', ')}${more}`);
}
