/** Asks node agents just before a command is decided: whether Gluster runs where a node is added, who can clone a volume. */
import { type CloneProbe, type CommandOf, type HostName, probeOf, ProbeReply } from '@brickyard/contracts';
import type { Cluster, ControlState, Volume } from '@brickyard/domain';
import type { BusLink } from '../bus-link';

type GlusterdProbe = CommandOf<'AddNode'>['probe'];
type Heard = GlusterdProbe['newNode'];

/** A host that is gone costs no time: the bus says at once that nobody listens there. */
const PROBE_TIMEOUT_MS = 8_000;
/** A member that works, say at another host's joining, is slow to answer: then others are asked beside it. */
const PROMPT_MS = 2_000;
/** Members asked, until one answers that it runs. */
const MEMBERS_ASKED_MAX = 3;

/** Puts the question to agents. */
export class NodeProbe {
  constructor(private readonly bus: BusLink) {}

  /** What the new host and the cluster answer; both are asked at the same time. */
  async probe(state: ControlState, cluster: Cluster | undefined, newHost: HostName): Promise<GlusterdProbe> {
    const [newNode, members] = await Promise.all([this.ask(newHost), this.askMembers(state, cluster)]);
    return { newNode, members };
  }

  private async askMembers(state: ControlState, cluster: Cluster | undefined): Promise<GlusterdProbe['members']> {
    const nodes = (cluster?.nodeIds ?? [])
      .map((nodeId) => state.nodes.get(nodeId))
      .filter((node) => node !== undefined);
    const members = nodes.filter(({ lifecycle }) => lifecycle === 'ready');
    if (members.length === 0) return 'none';
    const usable = members.filter((node) => node.state === 'online' && node.lostSince === undefined);
    const hosts = usable.flatMap(({ hostnames }) => hostnames.manage.slice(0, 1)).slice(0, MEMBERS_ASKED_MAX);
    const [first] = hosts;
    if (first !== undefined && (await this.ask(first, PROMPT_MS)) === 'running') return 'running';
    const running = hosts.map(async (host) => {
      if ((await this.ask(host)) !== 'running') throw new Error(`${host} does not say that Gluster runs`);
    });
    return Promise.any(running).then(
      () => 'running',
      () => 'stopped',
    );
  }

  /** Whether the hosts of a volume's bricks can clone it; all are asked at the same time. */
  async probeClone(state: ControlState, volume: Volume | undefined): Promise<CloneProbe> {
    const nodeIds = [...new Set(volume?.bricks.map(({ nodeId }) => nodeId))];
    const heard = await Promise.all(
      nodeIds.map(async (nodeId) => {
        const host = state.nodes.get(nodeId)?.hostnames.manage[0];
        return { nodeId, reply: host === undefined ? undefined : await this.reply(host) };
      }),
    );
    return {
      silent: heard.filter(({ reply }) => reply === undefined).map(({ nodeId }) => nodeId),
      // An agent that does not say is of a release that could not clone.
      unable: heard.flatMap(({ nodeId, reply }) =>
        reply === undefined || reply.clones === true ? [] : [{ nodeId, brickDriver: reply.brickDriver ?? 'not told' }],
      ),
    };
  }

  private async ask(host: HostName, timeoutMs = PROBE_TIMEOUT_MS): Promise<Heard> {
    return (await this.reply(host, timeoutMs))?.glusterd ?? 'no-agent';
  }

  private async reply(host: HostName, timeoutMs = PROBE_TIMEOUT_MS): Promise<ProbeReply | undefined> {
    try {
      return ProbeReply.safeParse(await this.bus.request(probeOf(host), {}, timeoutMs)).data;
    } catch {
      return undefined; // Nobody answers under this name: that is the answer.
    }
  }
}
