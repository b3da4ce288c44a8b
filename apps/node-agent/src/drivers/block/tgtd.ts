/** tgtd, the iSCSI daemon of this host: started when it is needed, asked and told by `tgtadm`. It outlives the agent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { causeOf, commandFailed, type CommandResult, type HostCommand } from '../host-command';
import { passing, refusal } from '../step-failure';
import { type ShownTarget, targetsIn } from './tgt-show';

const CALL_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 10_000;
const START_LOOK_MS = 50;
/** tgtadm when no daemon answers. */
const NO_DAEMON = 107;
/** What it says of one that ended before or while it was asked. */
const GONE = /tgt daemon|closed the socket|Connection reset by peer|Broken pipe/;
const CONTROL_PORT = '0';

const isGone = ({ exit, err }: CommandResult): boolean => exit === NO_DAEMON || (exit !== 0 && GONE.test(err));

/** Where the daemon lives. */
export interface TgtdOptions {
  readonly run: HostCommand;
  /** Words before its command, as those of `run`. */
  readonly prefix: readonly string[];
  /** Its control socket; the daemon adds a number to the name. */
  readonly socket: string;
  readonly logFile: string;
  readonly port: number;
}

/** The daemon. Rejects with a `StepFailed` when it does not answer. */
export interface Tgtd {
  /** Runs and answers. */
  ensureRunning(): Promise<void>;
  /** Every target; undefined when no daemon answers. */
  targets(): Promise<readonly ShownTarget[] | undefined>;
  /** Tells it something; `tolerated` are complaints that mean the same as success. */
  tell(words: readonly string[], options?: TellOptions): Promise<void>;
  /** Ends it; what it offered is offered no more. */
  stop(): Promise<void>;
}

export interface TellOptions {
  readonly tolerated?: RegExp;
  /** Words that no log may see. */
  readonly secrets?: readonly string[];
}

export function tgtd({ run, prefix, socket, logFile, port }: TgtdOptions): Tgtd {
  const environment = ['env', `TGT_IPC_SOCKET=${socket}`];
  const call = (words: readonly string[], secrets: readonly string[] = []): Promise<CommandResult> =>
    run([...environment, 'tgtadm', '--control-port', CONTROL_PORT, '--lld', 'iscsi', ...words], {
      timeoutMs: CALL_TIMEOUT_MS,
      secrets,
    });

  async function targets(): Promise<readonly ShownTarget[] | undefined> {
    const result = await call(['--op', 'show', '--mode', 'target']);
    if (result.exit === 0 && result.broken === undefined) return targetsIn(result.out);
    if (isGone(result)) return undefined;
    throw commandFailed('the iSCSI daemon of this host does not tell what it offers', result);
  }

  async function start(): Promise<void> {
    mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
    const words: readonly string[] = [
      ...prefix,
      ...environment,
      'tgtd',
      '-f',
      '--iscsi',
      `portal=0.0.0.0:${String(port)}`,
      '--control-port',
      CONTROL_PORT,
    ];
    const [program = '', ...args] = words;
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/' });
    closeSync(log);
    child.unref();
    const ended = once(child, 'exit').then(
      ([code]) => `it ended with ${String(code)}`,
      (error: unknown) => String(error),
    );
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      if ((await targets()) !== undefined) return;
      const end = await Promise.race([ended, pause(START_LOOK_MS, undefined)]);
      if (end === undefined && Date.now() < deadline) continue;
      const cause = `tgtd on port ${String(port)}: ${end ?? 'no answer in time'}; see ${logFile}`;
      throw passing(
        `the iSCSI daemon of this host does not start; is tgt installed, and port ${String(port)} free?`,
        cause,
      );
    }
  }

  return {
    targets,
    async ensureRunning() {
      if ((await targets()) === undefined) await start();
    },
    async tell(words, { tolerated, secrets = [] } = {}) {
      const result = await call(words, secrets);
      if (result.exit === 0 && result.broken === undefined) return;
      if (isGone(result)) throw passing('the iSCSI daemon of this host has gone; it is started again', causeOf(result));
      if (tolerated?.test(result.err) === true) return;
      if (result.broken !== undefined) throw passing('the iSCSI daemon of this host takes too long', causeOf(result));
      throw refusal(`the iSCSI daemon of this host refuses: ${result.err.trim()}`, causeOf(result));
    },
    async stop() {
      const shown = (await targets()) ?? [];
      for (const { tid } of shown) {
        await call(['--op', 'delete', '--mode', 'target', '--tid', String(tid), '--force']);
      }
      await call(['--op', 'delete', '--mode', 'system']);
    },
  };
}
