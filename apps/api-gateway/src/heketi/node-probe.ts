/** Asks node agents, just before a node is added, whether Gluster runs: on the new host and on a member of its cluster. */
import { type CommandOf, type HostName, probeOf, ProbeReply } from '@brickyard/contracts';
import type { Cluster, ControlState } from '@brickyard/domain';
import type { BusLink } from '../bus-link';

type GlusterdProbe = CommandOf<'AddNode'>['probe'];
type Heard = GlusterdProbe['newNode'];

const PROBE_TIMEOUT_MS = 2_000;
/** Members asked, one after the other, until one answers that it runs. */
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
    for (const { hostnames } of usable.slice(0, MEMBERS_ASKED_MAX)) {
      const [host] = hostnames.manage;
      if (host !== undefined && (await this.ask(host)) === 'running') return 'running';
    }
    return 'stopped';
  }

  private async ask(host: HostName): Promise<Heard> {
    try {
      const reply = ProbeReply.safeParse(await this.bus.request(probeOf(host), {}, PROBE_TIMEOUT_MS));
      return reply.success ? reply.data.glusterd : 'no-agent';
    } catch {
      return 'no-agent'; // Nobody answers under this name: that is the answer.
    }
  }
}
