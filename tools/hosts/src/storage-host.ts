import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type Completed, isRunning, runCommand, until } from './command';
import { keepOwnDisks, letGoOfDisks } from './disks';
import { Glusterd } from './glusterd';
import { arrangeMounts, type HostDirectories, STATE_DIRECTORY } from './host-mounts';
import { detachLoopsBelow } from './loop-devices';
import { canConnect, namespaceOf, type Network, replug, unplug } from './network';
import { endAll, processesIn, readProc, signal } from './processes';
import { hostAddressIn } from './subnet';

const HOLDER_TIMEOUT_MS = 5_000;
const SHUTDOWN_PATIENCE_MS = 2_000;
const GLUSTER_GROUPS = '/var/lib/glusterd/groups';

/** Options of a long-lived process inside a host. */
export interface SpawnOptions {
  /** Its whole environment, besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output is appended, a path of the machine; without it the output is lost. */
  readonly logFile?: string;
}

/** One storage host: namespaces for network and mounts, a glusterd of its own, devices as sparse files. */
export interface StorageHost {
  readonly name: string;
  readonly address: string;
  /** Block devices to be, as paths inside the host: sparse files, the same on every host, or disks of this machine. */
  readonly devices: readonly string[];
  /** State directory of the node agent inside the host; it outlives crashes and stops. */
  readonly stateDirectory: string;
  /** This host's files on the machine: `lib-glusterd`, `lib-brickyard`, `log`, `fstab`. */
  readonly directory: string;
  /** True between boot and crash (or the lab's end). */
  isUp(): boolean;
  /** True when its glusterd answers. */
  isGlusterdReady(): boolean;
  /** Runs a command inside the host and waits for its end; rejects when the host is off or a limit is broken. */
  run(argv: readonly string[], options: CommandOptions): Promise<Completed>;
  /** Starts a long-lived process inside the host, in a session of its own; it ends with the host. Paths must be absolute. */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Starts (and from then on supervises) glusterd; resolves when it answers. */
  startGlusterd(): Promise<void>;
  /** Ends glusterd in an orderly way; it stays down. */
  stopGlusterd(): Promise<void>;
  /** Kills glusterd (-9); it stays down until it is started. Bricks go on. */
  crashGlusterd(): Promise<void>;
  /** Power loss: everything inside dies at once; brick mounts, loop devices and /run vanish, files and state stay. */
  crash(): Promise<void>;
  /**
   * Power on: namespaces and glusterd; bricks are not mounted: on a real host that is the node agent's work, too. Rejects
   * with `GlusterdDown` when the host is up but glusterd refuses its state; it is then tried again until it is repaired.
   */
  boot(): Promise<void>;
  /** Cuts the host off silently from peers, clients and services. */
  partition(): Promise<void>;
  /** Ends a partition. */
  heal(): Promise<void>;
  /** True when a process inside the host can open a TCP connection there. */
  canReach(address: string, port: number): Promise<boolean>;
}

/** What a host is made of. */
export interface HostPlan {
  readonly labDirectory: string;
  readonly network: Network;
  readonly number: number;
  readonly devices: number;
  readonly deviceSizeKib: number;
  /** Disks of this machine in place of sparse files. */
  readonly disks?: readonly string[];
}

/** The storage host of a namespace that exists already; it is off until `boot`. */
export class NamespacedHost implements StorageHost {
  readonly name: string;
  readonly address: string;
  readonly devices: readonly string[];
  readonly stateDirectory = STATE_DIRECTORY;
  readonly directory: string;
  private readonly namespace: string;
  private readonly glusterd: Glusterd;
  private holder: ChildProcess | undefined;

  constructor(private readonly plan: HostPlan) {
    this.name = `storage-${String(plan.number)}`;
    this.address = hostAddressIn(plan.network.subnet, plan.number);
    this.namespace = namespaceOf(plan.network.prefix, plan.number);
    this.directory = join(plan.labDirectory, this.name);
    const names = Array.from({ length: plan.devices }, (_, index) => `disk${String(index + 1)}`);
    this.devices = plan.disks ?? names.map((name) => join(STATE_DIRECTORY, 'devices', name));
    this.glusterd = new Glusterd({
      hostName: this.name,
      logDirectory: this.directories().log,
      inside: (argv) => this.inside(argv),
    });
  }

  isUp(): boolean {
    return this.holder !== undefined && isRunning(this.holder);
  }

  isGlusterdReady(): boolean {
    return this.glusterd.isReady;
  }

  async run(argv: readonly string[], options: CommandOptions): Promise<Completed> {
    return runCommand(this.inside(argv), options);
  }

  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [program = '', ...args] = this.inside(argv);
    const log = options.logFile === undefined ? 'ignore' : openSync(options.logFile, 'a', 0o600);
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...options.env };
    const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/', env });
    if (typeof log === 'number') closeSync(log);
    child.unref();
    return child;
  }

  startGlusterd(): Promise<void> {
    return this.glusterd.start();
  }

  stopGlusterd(): Promise<void> {
    return this.glusterd.stop();
  }

  crashGlusterd(): Promise<void> {
    return this.glusterd.crash();
  }

  async crash(): Promise<void> {
    this.glusterd.abandon();
    await endAll(() => processesIn(this.namespace), this.name);
    this.holder = undefined;
    await detachLoopsBelow(this.directory);
    if (this.plan.disks !== undefined) await letGoOfDisks(this.plan.disks);
  }

  /** Asks everything inside to end, then switches the host off. */
  async shutDown(): Promise<void> {
    this.glusterd.abandon();
    const holder = this.holder?.pid;
    const others = (): number[] => processesIn(this.namespace).filter((pid) => pid !== holder);
    for (const pid of others()) signal(pid, 'SIGTERM');
    await until(() => others().length === 0, SHUTDOWN_PATIENCE_MS);
    await this.crash();
  }

  async boot(): Promise<void> {
    if (this.isUp()) throw new Error(`${this.name} is up already`);
    this.makeFiles();
    const argv = [
      `--net=/run/netns/${this.namespace}`,
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sleep',
      'infinity',
    ];
    const holder = spawn('nsenter', argv, { stdio: 'ignore', detached: true, cwd: '/' });
    holder.once('error', () => undefined); // Shows as a holder that never ran.
    holder.unref();
    const pid = holder.pid ?? 0;
    const holds = await until(() => !isRunning(holder) || readProc(pid, 'comm') === 'sleep\n', HOLDER_TIMEOUT_MS, 2);
    if (!holds || !isRunning(holder)) throw new Error(`the namespaces of ${this.name} cannot be made`);
    const { disks } = this.plan;
    if (disks !== undefined) await keepOwnDisks(pid, this.directory, disks);
    await arrangeMounts(pid, this.directories());
    this.holder = holder;
    await this.glusterd.start();
  }

  partition(): Promise<void> {
    return unplug(this.plan.network.prefix, this.plan.number);
  }

  heal(): Promise<void> {
    return replug(this.plan.network.prefix, this.plan.number);
  }

  canReach(address: string, port: number): Promise<boolean> {
    return canConnect(this.nsenterFlags(), address, port);
  }

  private inside(argv: readonly string[]): string[] {
    return ['nsenter', ...this.nsenterFlags(), '--', ...argv];
  }

  private nsenterFlags(): string[] {
    if (!this.isUp()) throw new Error(`${this.name} is off`);
    return [`--target=${String(this.holder?.pid)}`, '--mount', '--net'];
  }

  private directories(): HostDirectories {
    return {
      glusterd: join(this.directory, 'lib-glusterd'),
      brickyard: join(this.directory, 'lib-brickyard'),
      log: join(this.directory, 'log'),
      fstab: join(this.directory, 'fstab'),
      udev: join(this.directory, 'udev'),
    };
  }

  /** Files of a new host; those of an old one stay as they are. Never a copy of the machine's glusterd.info: its UUID must differ. */
  private makeFiles(): void {
    const { glusterd, brickyard, log, fstab, udev } = this.directories();
    for (const directory of [glusterd, join(brickyard, 'devices'), log, udev])
      mkdirSync(directory, { recursive: true });
    if (!existsSync(fstab)) writeFileSync(fstab, '');
    if (existsSync(GLUSTER_GROUPS)) cpSync(GLUSTER_GROUPS, join(glusterd, 'groups'), { recursive: true });
    if (this.plan.disks !== undefined) return;
    for (const device of this.devices) {
      const file = join(brickyard, device.slice(STATE_DIRECTORY.length));
      if (existsSync(file)) continue;
      writeFileSync(file, '', { mode: 0o600 });
      truncateSync(file, this.plan.deviceSizeKib * 1024);
    }
  }
}
