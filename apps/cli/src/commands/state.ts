/** Whether a node or a device takes new bricks, and moving away those it has. */
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { act, Wait, waitOption, type Shell } from './act';
import { change } from './change';
import { idOf } from './named';

const Flags = z.object({ wait: Wait, expertOptionDisableHealCheck: z.boolean().default(false) });

/** What the states belong to. */
export interface Stateful {
  readonly noun: 'Node' | 'Device';
  readonly kind: 'node' | 'device';
  readonly path: 'nodes' | 'devices';
  /** Whether heketi-cli has its option against the heal check here. */
  readonly healCheck: boolean;
}

const VERBS = [
  { verb: 'enable', state: 'online', word: 'online', text: 'take new bricks again' },
  { verb: 'disable', state: 'offline', word: 'offline', text: 'take no new bricks; those it has stay' },
  { verb: 'remove', state: 'failed', word: 'removed', text: 'move its bricks elsewhere; it must be offline' },
] as const;

/** heketi-cli's option for who knows that a copy may be lost. */
export const healCheckOption = (): Option =>
  new Option('--expert-option-disable-heal-check', 'move bricks although copies are not healed: data may be lost');

/** Hangs `enable`, `disable` and `remove` on a noun. */
export function stateCommands(command: Command, shell: Shell, { noun, kind, path, healCheck }: Stateful): void {
  for (const { verb, state, word, text } of VERBS) {
    const sub = command.command(verb).argument('<id>').description(text).addOption(waitOption());
    if (healCheck && verb === 'remove') sub.addOption(healCheckOption());
    act(shell, sub, Flags, async (context, args, { wait, expertOptionDisableHealCheck }) => {
      const id = await idOf(context, kind, args[0]);
      const request = { state, ...(expertOptionDisableHealCheck ? { healcheck: 'disable' } : {}) };
      const answer = await change(context, (how) => context.api.post(`/${path}/${id}/state`, request, how), wait);
      const isDone = answer.status !== 202;
      context.confirm({ id, state, done: isDone }, `${noun} ${id} ${isDone ? 'is now' : 'will be'} ${word}`);
      return undefined;
    });
  }
}
