/**
 * A small door to the launcher, which alone can switch storage hosts on and off: a unix socket in the data directory. One
 * JSON object a line each way.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Fleet } from './fleet';

const COMMAND_TIMEOUT_MS = 30_000;
/** The kernel's limit for the path of a socket (unix(7)). */
const SOCKET_PATH_MAX = 107;

/** What can be asked of the launcher; hosts are named by name or address. */
export const ControlRequest = z.union([
  /** Power loss of a host. */
  z.strictObject({ crash: z.string() }),
  /** Power on. */
  z.strictObject({ boot: z.string() }),
  /** Runs gluster's command line inside a host. */
  z.strictObject({ gluster: z.array(z.string()).min(1), on: z.string() }),
  /** Where bricks are mounted inside a host. */
  z.strictObject({ bricks: z.string() }),
]);
export type ControlRequest = z.infer<typeof ControlRequest>;

const ControlAnswer = z.union([z.object({ ok: z.literal(true), output: z.string() }), z.object({ error: z.string() })]);

/** Opens the door. */
export async function openControlDoor(path: string, fleet: Fleet): Promise<{ close(): Promise<void> }> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX)
    throw new Error(`${path} is too long for a socket; use a shorter --data`);
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (line) => {
      void answer(line, fleet).then((text) => socket.write(`${JSON.stringify(text)}\n`));
    });
  });
  await listen(server, path);
  return {
    close: () =>
      new Promise((closed) => {
        server.close(() => {
          closed();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Asks the launcher of a running system; rejects with its reason. */
export function askControl(path: string, asked: ControlRequest): Promise<string> {
  return new Promise((done, reject) => {
    const socket = connect(path);
    socket.once('error', (cause) => {
      reject(new Error(`no launcher listens at ${path}`, { cause }));
    });
    socket.once('connect', () => socket.write(`${JSON.stringify(asked)}\n`));
    createInterface({ input: socket })
      .once('line', (line) => {
        socket.end();
        const said = ControlAnswer.parse(JSON.parse(line));
        if ('error' in said) reject(new Error(said.error));
        else done(said.output);
      })
      .once('close', () => {
        reject(new Error('the launcher closed the door'));
      });
  });
}

async function answer(line: string, fleet: Fleet): Promise<z.infer<typeof ControlAnswer>> {
  try {
    return { ok: true, output: await execute(ControlRequest.parse(JSON.parse(line)), fleet) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function execute(asked: ControlRequest, fleet: Fleet): Promise<string> {
  if ('crash' in asked) await fleet.crashHost(asked.crash);
  else if ('boot' in asked) await fleet.bootHost(asked.boot);
  else if ('gluster' in asked) return runInside(fleet, asked.on, ['gluster', '--mode=script', ...asked.gluster]);
  else
    return runInside(fleet, asked.bricks, [
      'findmnt',
      '--list',
      '--noheadings',
      '--types',
      'xfs',
      '--output',
      'TARGET',
    ]);
  return '';
}

async function runInside(fleet: Fleet, name: string, argv: readonly string[]): Promise<string> {
  const host = fleet.lab?.hosts.find((one) => one.name === name || one.address === name);
  if (host === undefined) throw new Error(`there is no real host ${name}`);
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutMs: COMMAND_TIMEOUT_MS });
  // findmnt says "nothing found" by its exit code alone.
  if (exitCode !== 0 && (stdout + stderr).trim() !== '')
    throw new Error(`${argv.join(' ')}: ${(stderr + stdout).trim()}`);
  return stdout;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((done, reject) => {
    server.once('error', reject);
    // Whoever may use the door has power over the hosts: the owner alone.
    server.listen({ path, readableAll: false, writableAll: false }, done);
  });
}
