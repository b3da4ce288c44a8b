/** The server itself: its mode, its log level, its operations as heketi counts them, its database as heketi dumps it. */
import type { Command } from 'commander';
import { z } from 'zod';
import { OperationCounts, PendingOperation, PendingOperations } from '../answers';
import type { Context } from '../context';
import { UsageError } from '../exit-codes';
import { CLEANUP_NOTE, pendingListText, pendingText } from '../heketi/texts';
import { act, fieldIdFrom, idFrom, NoFlags, type Shell, Wait, waitOption } from './act';
import { change } from './change';
import { healCheckOption } from './state';

const MODES = ['normal', 'read-only', 'local-client'];
const Admin = z.object({ state: z.string() });
const Logging = z.object({ loglevel: z.object({ glusterfs: z.string() }) });
const EvictFlags = z.object({ wait: Wait, expertOptionDisableHealCheck: z.boolean().default(false) });

/** The server's answer as it came. */
async function passOn(context: Context, path: string): Promise<void> {
  const { body } = await context.answer(path);
  context.outside.out(typeof body === 'string' ? body : `${JSON.stringify(body, undefined, 4)}\n`);
}

function modeCommands(server: Command, shell: Shell): void {
  const mode = server.command('mode').description('whether changes are taken');
  act(shell, mode.command('get').description('the mode now'), NoFlags, async (context) => {
    const { state } = await context.get('/admin', Admin);
    context.tell({ data: { state }, lines: () => [state], heketi: () => `${state}\n`, isTextOnly: true });
    return undefined;
  });
  const set = mode.command('set').argument('<mode>', MODES.join(', ')).description('change it');
  act(shell, set, NoFlags, async (context, [state = '']) => {
    context.refuseAt();
    if (!MODES.includes(state)) {
      const heketi = 'validation failed: state: must be a valid value.';
      throw new UsageError(`the modes are ${MODES.join(', ')}; not ${state}`, heketi);
    }
    await context.api.post('/admin', { state });
    context.confirm({ state }, `The server's mode is now ${state}`, '');
    return undefined;
  });
}

function operationCommands(server: Command, shell: Shell): void {
  const operations = server.command('operations').description('work on the hosts, as heketi counts it');
  const info = operations.command('info').argument('[id]').description('counts, or one pending operation');
  act(shell, info, NoFlags, async (context, args) => {
    const id = args.find((word: string | undefined) => word !== undefined && word !== '');
    if (id !== undefined) {
      const shown = await context.get(`/operations/pending/${idFrom([id])}`, PendingOperation);
      const text = pendingText(shown);
      context.tell({ data: shown, lines: () => [text.trim()], heketi: () => text, isTextOnly: true });
      return undefined;
    }
    const counts = await context.get('/operations', OperationCounts);
    const lines = [
      'Operation Counts:',
      `  Total: ${String(counts.total)}`,
      `  In-Flight: ${String(counts.in_flight)}`,
      `  New: ${String(counts.new)}`,
      `  Failed: ${String(counts.failed)}`,
      `  Stale: ${String(counts.stale)}`,
    ];
    const text = lines.map((line) => `${line}\n`).join('');
    context.tell({ data: counts, lines: () => lines, heketi: () => text, isTextOnly: true });
    return undefined;
  });
  act(shell, operations.command('list').description('pending operations'), NoFlags, async (context) => {
    const { pendingoperations } = await context.get('/operations/pending', PendingOperations);
    const rows = pendingoperations.map(({ id, type_name: type, status, sub_status: sub }) => [
      id,
      type,
      `${status === '' ? 'new' : status} ${sub}`.trim(),
    ]);
    context.tell({
      data: pendingoperations,
      lines: () => context.table(['OPERATION', 'TYPE', 'STATUS'], rows),
      heketi: () => pendingListText(pendingoperations),
      isTextOnly: true,
    });
    return undefined;
  });
  const cleanup = operations.command('cleanup').argument('[ids...]').description('clean up failed and stale ones');
  act(shell, cleanup, NoFlags, async (context, args) => {
    const operationIds = args.map((id) => fieldIdFrom('operations', id));
    const path = '/operations/pending/cleanup';
    await change(context, (how) => context.api.post(path, { operations: operationIds }, how));
    if (context.isHeketi) context.outside.err(CLEANUP_NOTE);
    context.confirm({ operations: operationIds }, 'Cleaned up what could be', '');
    return undefined;
  });
}

function logLevelCommands(program: Command, shell: Shell): void {
  const level = program.command('loglevel').description("how much the server's log tells");
  act(shell, level.command('get').description('the level now'), NoFlags, async (context) => {
    const { loglevel } = await context.get('/internal/logging', Logging);
    const { glusterfs } = loglevel;
    context.tell({ data: loglevel, lines: () => [glusterfs], heketi: () => `${glusterfs}\n`, isTextOnly: true });
    return undefined;
  });
  const set = level.command('set').argument('<level>', 'none, critical, error, warning, info, debug');
  act(shell, set.description('change it'), NoFlags, async (context, [glusterfs = '']) => {
    context.refuseAt();
    await context.api.post('/internal/logging', { loglevel: { glusterfs } });
    context.confirm({ glusterfs }, 'Server log level updated');
    return undefined;
  });
}

/** `brickyard server|db|loglevel|brick …`. */
export function serverCommands(program: Command, shell: Shell): void {
  const server = program.command('server').description('the server itself');
  modeCommands(server, shell);
  operationCommands(server, shell);
  const state = server.command('state').description('what the server knows and what the hosts say');
  const examine = state.command('examine').description('compare both');
  act(shell, examine.command('gluster').description('with what Gluster says'), NoFlags, async (context) => {
    await passOn(context, '/internal/state/examine/gluster');
    return undefined;
  });
  const db = program.command('db').description("everything in heketi's own format");
  act(shell, db.command('dump').description('all records'), NoFlags, async (context) => {
    await passOn(context, '/db/dump');
    return undefined;
  });
  act(shell, db.command('check').description('whether they fit together'), NoFlags, async (context) => {
    await passOn(context, '/db/check');
    return undefined;
  });
  logLevelCommands(program, shell);
  const brick = program.command('brick').description('single bricks');
  const evict = brick
    .command('evict')
    .argument('<id>')
    .description('move a brick to another device')
    .addOption(healCheckOption())
    .addOption(waitOption());
  act(shell, evict, EvictFlags, async (context, args, { wait, expertOptionDisableHealCheck }) => {
    const id = idFrom(args);
    const request = expertOptionDisableHealCheck ? { healcheck: 'disable' } : {};
    await change(context, (how) => context.api.post(`/bricks/to-evict/${id}`, request, how), wait);
    context.confirm({ id, evicted: wait }, `Brick ${id} ${wait ? 'evicted' : 'will be evicted'}`);
    return undefined;
  });
}
