/** The folder of one system: who uses it, what lies where, and the secrets made on its first start. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers } from '@brickyard/hosts';
import { z } from 'zod';
import type { HostsKind, StackPlan } from './options';
import { isNoted, processNotes, startTimeOf } from './process-record';

const Kept = z.object({
  hosts: z.enum(['real', 'simulated']),
  adminKey: z.string(),
  userKey: z.string(),
  busPassword: z.string(),
});
/** What a folder keeps from its first start on. */
export type Kept = z.infer<typeof Kept>;

const Launcher = z.object({ pid: z.int(), startTime: z.string(), mark: z.string() });

/** Paths below the folder of a system. */
export interface DataDirectory {
  readonly path: string;
  readonly logs: string;
  readonly notes: string;
  readonly postgres: string;
  readonly nats: string;
  /** Real storage hosts. */
  readonly hosts: string;
  /** Simulated storage hosts. */
  readonly simulated: string;
  readonly controlSocket: string;
  /** Variables for a shell: where the API is and how to be let in. */
  readonly env: string;
  readonly kept: Kept;
  /** Lets another launcher have the folder. */
  release(): void;
}

/** Opens the folder, or makes it; refuses one that another launcher uses or that belongs to something else. */
export async function openDataDirectory({ dataDir: path, hosts, fresh }: StackPlan): Promise<DataDirectory> {
  const inFolder = (name: string): string => join(path, name);
  const launcher = inFolder('launcher.json');
  refuseForeign(path);
  refuseBusy(path, launcher);
  if (fresh) await clear(path);
  mkdirSync(inFolder('logs'), { recursive: true });
  writeFileSync(launcher, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) ?? '', mark: '' }));
  const kept = keep(inFolder('config.json'), hosts);
  if (kept.hosts !== hosts) {
    rmSync(launcher);
    throw new Error(
      `${path} holds a system with ${kept.hosts} hosts; use another folder (--data) or begin anew (--fresh)`,
    );
  }
  return {
    path,
    logs: inFolder('logs'),
    notes: inFolder('run'),
    postgres: inFolder('postgres'),
    nats: inFolder('nats'),
    hosts: inFolder('hosts'),
    simulated: inFolder('simulated'),
    controlSocket: inFolder('control.sock'),
    env: inFolder('env'),
    kept,
    release: () => {
      rmSync(launcher, { force: true });
    },
  };
}

/** Volumes may still be mounted below it after a killed run: they go first, or their files would go, too. */
async function clear(path: string): Promise<void> {
  if (existsSync(join(path, 'run'))) await processNotes(join(path, 'run')).endLeftovers();
  if (existsSync(join(path, 'hosts'))) await removeLeftovers({ directory: join(path, 'hosts') });
  rmSync(path, { recursive: true, force: true });
}

/** Nothing is ever deleted or written in a folder that is not ours. */
function refuseForeign(path: string): void {
  if (!existsSync(path) || readdirSync(path).length === 0 || existsSync(join(path, 'config.json'))) return;
  throw new Error(`${path} is not empty and holds no system of ours; name another folder with --data`);
}

function refuseBusy(path: string, launcher: string): void {
  if (!existsSync(launcher)) return;
  const holder = Launcher.safeParse(parseJson(readFileSync(launcher, 'utf8')));
  if (!holder.success || holder.data.pid === process.pid || !isNoted(holder.data)) return;
  throw new Error(`the system of ${path} runs already (process ${String(holder.data.pid)})`);
}

function keep(file: string, hosts: HostsKind): Kept {
  if (existsSync(file)) {
    const kept = Kept.safeParse(parseJson(readFileSync(file, 'utf8')));
    if (kept.success) return kept.data;
    throw new Error(`${file} is damaged: without its keys this system cannot go on; begin anew (--fresh)`);
  }
  const kept = { hosts, adminKey: secret(), userKey: secret(), busPassword: secret() };
  writeFileSync(file, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600 });
  return kept;
}

const secret = (): string => randomBytes(16).toString('hex');

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
