/** Gluster through its command line, on this host. One change at a time, two reads. */
import type { Durability } from '@brickyard/contracts';
import { limited } from '../../concurrency';
import { causeOf, commandFailed, type CommandResult, type HostCommand, mustRun } from '../host-command';
import { isListening } from '../local-socket';
import { passing, unsure } from '../step-failure';
import { readClaim, removeClaim } from './brick-claim';
import {
  brickHealsIn,
  healPendingIn,
  idleBricksIn,
  membersIn,
  migrationIn,
  snapshotIn,
  volumesIn,
} from './gluster-answers';
import { type Answer, answerIn, replyTo, troubleOf } from './gluster-reply';
import type { BrickHeal, Gluster, Member, Migration, Reply, VolumeInfo } from './gluster.port';
import { reunion } from './reunion';
import type { Sign } from './silence-watch';
import { shapeWords } from './volume-plan';

/** Gluster's own time-out for changes: heketi's, since 120 s are too little for many volumes. */
const CHANGE_TIMEOUT_S = 600;
const READ_TIMEOUT_S = 60;
const HEALTH_TIMEOUT_S = 5;
/** Ours comes later, so that it is Gluster that reports. */
const GRACE_MS = 15_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const STATE_FILE = 'brickyard-state';
const READS_AT_ONCE = 2;
/** How long an answering socket is taken for a ready daemon: longer than from one look at the host to the next, which shows it, too. */
const READY_FOR_MS = 75_000;
/** A glusterd is the same member of its pool for as long as it runs, unless somebody gives it another identity. */
const SELF_FOR_MS = 5 * 60_000;
/**
 * Each time it is started, `gluster` runs `gsyncd --version` to see whether geo-replication is installed, which nothing here
 * uses: a Python program that takes seven eighths of the processor time of a short command. gsyncd.c takes its interpreter
 * from this variable; one that ends at once means "not installed".
 */
const WITHOUT_GEO_REPLICATION = { PYTHON: '/bin/false' };
const NO_SUCH_VOLUME = 30806;
const NO_SUCH_SNAPSHOT = 30807;

/** How this host's `gluster` is reached. */
export interface GlusterCliOptions {
  readonly run: HostCommand;
  /** glusterd's local socket: a cheap sign of life, and of a new start; without it every health check asks the command line. */
  readonly socket?: string;
  /** Called with every look at the pool. */
  readonly onMembers?: (members: readonly Member[]) => void;
  /** Called with what every health check finds, where there is a socket to tell silence from absence. */
  readonly onSign?: (sign: Sign) => void;
  /** Where `get-state` may put a file. */
  readonly stateDirectory: string;
}

/** This host's Gluster. */
export function glusterCli(options: GlusterCliOptions): Gluster {
  const cli = new GlusterCli(options);
  const change = (...words: readonly string[]): Promise<Reply> => cli.change(words);
  return {
    health: () => cli.health(),
    members: () => cli.members(),
    volume: async (name) => (await cli.volumes(name))[0],
    volumes: () => cli.volumes('all'),
    healPending: (name) => cli.healPending(name),
    heal: (name) => cli.heal(name),
    rebalance: (name) => cli.migration(['rebalance', name, 'status']),
    removal: (name, bricks) => cli.migration(['remove-brick', name, ...bricks, 'status']),
    probe: (host) => change('peer', 'probe', host),
    detach: (host) => change('peer', 'detach', host),
    create: (name, durability, bricks, force = false) => change(...createWords(name, durability, bricks, force)),
    addBricks: (name, bricks) => change('volume', 'add-brick', name, ...bricks),
    startRemoval: (name, bricks) => change('volume', 'remove-brick', name, ...bricks, 'start'),
    commitRemoval: (name, bricks) => change('volume', 'remove-brick', name, ...bricks, 'commit'),
    replaceBrick: (name, leaving, replacement) =>
      change('volume', 'replace-brick', name, leaving, replacement, 'commit', 'force'),
    set: (name, pairs) => change('volume', 'set', name, ...pairs.flat()),
    unset: (name, key) => change('volume', 'reset', name, key),
    setGroup: (name, group) => change('volume', 'set', name, 'group', group),
    start: (name, force) => change('volume', 'start', name, ...(force ? ['force'] : [])),
    stop: (name) => change('volume', 'stop', name, 'force'),
    delete: (name) => change('volume', 'delete', name),
    startRebalance: (name) => change('volume', 'rebalance', name, 'start'),
    snapshot: (name) => cli.snapshot(name),
    createSnapshot: (name, volume) => change('snapshot', 'create', name, volume, 'no-timestamp'),
    activateSnapshot: (name) => change('snapshot', 'activate', name),
    cloneSnapshot: (clone, name) => change('snapshot', 'clone', clone, name),
    deleteSnapshot: (name) => change('snapshot', 'delete', name),
    hasStaleClaim: (path) => cli.hasStaleClaim(path),
    clearClaim: (path) => removeClaim(options.run, path),
    idleBricks: () => cli.idleBricks(),
  };
}

const createWords = (
  name: string,
  durability: Durability,
  bricks: readonly string[],
  force: boolean,
): readonly string[] => ['volume', 'create', name, ...shapeWords(durability), ...bricks, ...(force ? ['force'] : [])];

class GlusterCli {
  private readonly changes = limited(1);
  private readonly reads = limited(READS_AT_ONCE);
  private readonly states = limited(1);
  private readyUntil = 0;
  /** This host as a member of its pool, and how long that is believed. */
  private self: { readonly members: readonly Member[]; readonly until: number } | undefined;

  private readonly reunited: () => Promise<void>;

  constructor(private readonly options: GlusterCliOptions) {
    const { socket } = options;
    const members = (): Promise<readonly Member[]> => this.members();
    this.reunited = socket === undefined ? () => Promise.resolve() : reunion({ socket, members });
  }

  change(words: readonly string[]): Promise<Reply> {
    return this.changes(async () => {
      await this.reunited();
      const result = await this.gluster(words, CHANGE_TIMEOUT_S);
      return replyTo(result, causeOf(result));
    });
  }

  private gluster(words: readonly string[], timeoutS: number): Promise<CommandResult> {
    const argv = ['gluster', '--mode=script', '--xml', `--timeout=${String(timeoutS)}`, ...words];
    return this.options.run(argv, {
      timeoutMs: timeoutS * 1000 + GRACE_MS,
      outputBytesMax: OUTPUT_BYTES_MAX,
      env: WITHOUT_GEO_REPLICATION,
    });
  }

  private async read(words: readonly string[]): Promise<{ answer: Answer; result: CommandResult }> {
    const result = await this.reads(() => this.gluster(words, READ_TIMEOUT_S));
    const answer = answerIn(result);
    // Whoever has answered need not be asked whether he answers.
    if (answer.kind === 'success') this.readyUntil = Date.now() + READY_FOR_MS;
    return { answer, result };
  }

  private async body(words: readonly string[]): Promise<unknown> {
    const { answer, result } = await this.read(words);
    if (answer.kind === 'success') return answer.body;
    throw this.unreadable(answer, result);
  }

  private unreadable(answer: Exclude<Answer, { kind: 'success' }>, result: CommandResult): Error {
    const cause = causeOf(result);
    const trouble = troubleOf(result, answer);
    if (trouble === 'no-daemon') return passing('glusterd of this host does not answer', cause);
    if (trouble === 'no-answer') return unsure('glusterd of this host did not answer in time', cause);
    return passing(`Gluster of this host cannot be asked: ${answer.message.slice(0, 500)}`, cause);
  }

  async health(): Promise<'running' | 'stopped'> {
    const { socket, onSign } = this.options;
    if (socket !== undefined && !(await isListening(socket))) {
      this.readyUntil = 0;
      this.self = undefined;
      onSign?.('not listening');
      return 'stopped';
    }
    if (socket !== undefined && Date.now() < this.readyUntil) {
      onSign?.('answered');
      return 'running';
    }
    // The socket opens before the daemon has restored its volumes.
    const result = await this.gluster(['pool', 'list'], HEALTH_TIMEOUT_S);
    const hasAnswered = answerIn(result).kind === 'success';
    if (socket !== undefined) onSign?.(hasAnswered ? 'answered' : 'silent');
    if (!hasAnswered) return 'stopped';
    this.readyUntil = Date.now() + READY_FOR_MS;
    return 'running';
  }

  async members(): Promise<readonly Member[]> {
    // `peer status` says who has joined, `pool list` who we are.
    const [peers, self] = await Promise.all([this.body(['peer', 'status']), this.selfInPool()]);
    const members = [...self, ...membersIn(peers)];
    this.options.onMembers?.(members);
    return members;
  }

  private async selfInPool(): Promise<readonly Member[]> {
    // Without a socket nobody would see that glusterd has ended, and may be another one now.
    if (this.self !== undefined && Date.now() < this.self.until && this.options.socket !== undefined) {
      return this.self.members;
    }
    const pool = membersIn(await this.body(['pool', 'list']));
    const members = pool.filter(({ hostname }) => hostname === 'localhost');
    this.self = { members, until: Date.now() + SELF_FOR_MS };
    return members;
  }

  async volumes(name: string): Promise<readonly VolumeInfo[]> {
    const { answer, result } = await this.read(['volume', 'info', name]);
    if (answer.kind === 'success') return volumesIn(answer.body);
    const isMissing = answer.kind === 'failure' && answer.errno === NO_SUCH_VOLUME;
    if (isMissing || answer.message.includes('No volumes present')) return [];
    throw this.unreadable(answer, result);
  }

  async hasStaleClaim(path: string): Promise<boolean> {
    const claim = await readClaim(this.options.run, path);
    if (claim === undefined) return false;
    const volumes = await this.volumes('all');
    // A volume that lists other bricks only has let go of this one, or never got as far as taking it.
    return !volumes.some(({ bricks }) => bricks.some(({ name }) => name.endsWith(`:${path}`)));
  }

  async snapshot(name: string): Promise<'absent' | 'inactive' | 'active'> {
    const { answer, result } = await this.read(['snapshot', 'info', name]);
    if (answer.kind === 'success') return snapshotIn(answer.body);
    const isMissing = answer.kind === 'failure' && answer.errno === NO_SUCH_SNAPSHOT;
    if (isMissing || /does not exist/i.test(answer.message)) return 'absent';
    throw this.unreadable(answer, result);
  }

  async healPending(name: string): Promise<number | undefined> {
    const { answer } = await this.read(['volume', 'heal', name, 'info', 'summary']);
    return answer.kind === 'success' ? healPendingIn(answer.body) : undefined;
  }

  async heal(name: string): Promise<readonly BrickHeal[] | undefined> {
    const { answer, result } = await this.read(['volume', 'heal', name, 'info', 'summary']);
    if (answer.kind === 'success') return brickHealsIn(answer.body);
    if (/not of type|is not started|does not exist/i.test(answer.message)) return undefined;
    throw this.unreadable(answer, result);
  }

  async migration(words: readonly string[]): Promise<Migration> {
    const { answer, result } = await this.read(['volume', ...words]);
    if (answer.kind === 'success') return migrationIn(answer.body);
    if (/not started|not decommissioned|not a distribute|does not exist/i.test(answer.message)) return { kind: 'none' };
    throw this.unreadable(answer, result);
  }

  /** One at a time: they write the same file, which stays there for the next one. */
  idleBricks(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { run, stateDirectory } = this.options;
    const argv = ['gluster', '--mode=script', 'get-state', 'odir', stateDirectory, 'file', STATE_FILE];
    const limits = {
      timeoutMs: READ_TIMEOUT_S * 1000,
      outputBytesMax: OUTPUT_BYTES_MAX,
      env: WITHOUT_GEO_REPLICATION,
    };
    return this.states(async () => {
      const result = await this.reads(() => run(argv, limits));
      if (result.exit !== 0) throw commandFailed('the state of glusterd cannot be read', result);
      const file = `${stateDirectory}/${STATE_FILE}`;
      return idleBricksIn(await mustRun(run, ['cat', file], limits.timeoutMs, 'the state of glusterd cannot be read'));
    });
  }
}
