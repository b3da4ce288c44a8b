/** Whether everything is there that volumes need, and for each thing that is not, what to do about it. */
import { describeError } from '@brickyard/service-host/client';
import type { Command } from 'commander';
import { z } from 'zod';
import { Status, TopologyLines } from '../answers';
import type { Context } from '../context';
import { EXIT } from '../exit-codes';
import { act, type Shell } from './act';
import { readTopology } from './topology.command';
import type { TopologyFile } from './topology-load';

/** One thing looked at. */
export interface Finding {
  readonly about: string;
  readonly ok: boolean;
  readonly says: string;
  /** What to do when it is not well. */
  readonly remedy?: string;
}

type StatusAnswer = z.infer<typeof Status>;
type NodeStatus = StatusAnswer['nodes'][number];

const well = (about: string, says: string): Finding => ({ about, ok: true, says });
const bad = (about: string, says: string, remedy: string): Finding => ({ about, ok: false, says, remedy });

const startAgent = (host: string): string =>
  `on ${host}: systemctl start brickyard-node-agent (BRICKYARD_AGENT_HOST must be ${host}), then look at its log`;

/** What is said of one registered node. */
export function nodeFinding({ host, lost, lostSince, lifecycle, agent, residue }: NodeStatus): Finding {
  const about = `node ${host}`;
  if (lifecycle !== 'ready') return bad(about, `is ${lifecycle}`, 'brickyard operation list shows what it waits for');
  if (lost)
    return bad(about, `is lost since ${lostSince ?? 'some time'}`, `bring the host back, or ${startAgent(host)}`);
  if (!agent.heard) return bad(about, 'its agent was never heard', startAgent(host));
  if (agent.alive !== true) return bad(about, 'its agent is silent', startAgent(host));
  if (agent.glusterd === 'stopped') {
    return bad(
      about,
      'glusterd does not run',
      `on ${host}: systemctl start glusterd; journalctl -u glusterd says why not`,
    );
  }
  if (residue > 0) {
    return bad(
      about,
      `still holds ${String(residue)} thing(s) of given-up operations`,
      'they are removed by themselves; look again in a minute',
    );
  }
  return well(about, agent.host === 'simulated' ? 'simulated: stores no data' : 'agent and glusterd run');
}

function serverFindings({ position, leader, problem }: StatusAnswer): Finding[] {
  const told = `answers, at position ${String(position)} of the log`;
  return [
    problem === undefined
      ? well('server', told)
      : bad('server', problem, 'see that Postgres and NATS run; it heals by itself'),
    leader === undefined
      ? bad(
          'allocator',
          'nobody knows whether one leads: Postgres does not answer',
          'start Postgres; reads go on meanwhile',
        )
      : well('allocator', `epoch ${String(leader.epoch)}`),
  ];
}

/** Whether volumes of three copies could be placed at all. */
type Pool = Pick<TopologyLines, 'clusters' | 'nodes'>;

export function clusterFindings({ clusters, nodes }: Pool, file?: TopologyFile): Finding[] {
  if (clusters.length === 0) {
    const count = file?.clusters.length ?? 0;
    if (count > 0) return [well('clusters', `there is none yet; the file makes ${String(count)}`)];
    return [bad('clusters', 'there is none', 'brickyard topology load FILE, or brickyard cluster create')];
  }
  return clusters.map(({ id, file }) => {
    const usable = nodes.filter(
      (node) =>
        node.cluster === id &&
        node.state === 'online' &&
        node.devices.some((device) => device.state === 'online' && device.storage.free > 0),
    );
    const about = `cluster ${id}`;
    if (!file) return well(about, 'takes no file volumes');
    if (usable.length >= 3) return well(about, `${String(usable.length)} nodes with free space`);
    const remedy = 'add nodes or devices, or enable those that are offline: brickyard node list';
    return bad(about, `${String(usable.length)} node(s) with free space: too few for three copies`, remedy);
  });
}

/** What of a topology file is there already, and which of its hosts nobody hears. */
export function fileFindings(file: TopologyFile, { nodes }: Pick<Pool, 'nodes'>, status: StatusAnswer): Finding[] {
  const known = new Map(nodes.map((node) => [node.hostnames.manage[0] ?? '', node]));
  const heard = new Map(status.unregistered.map((agent) => [agent.name, agent]));
  return file.clusters
    .flatMap((cluster) => cluster.nodes)
    .map(({ node, devices }) => {
      const host = node.hostnames.manage[0] ?? '';
      const about = `host ${host}`;
      const registered = known.get(host);
      if (registered !== undefined) {
        const names = new Set(registered.devices.map(({ name }) => name));
        const missing = devices.filter(({ name }) => !names.has(name)).map(({ name }) => name);
        return well(about, missing.length === 0 ? 'is loaded' : `is a node; to be added: ${missing.join(', ')}`);
      }
      const agent = heard.get(host);
      if (agent?.alive !== true) return bad(about, 'no agent is heard under this name', startAgent(host));
      if (agent.glusterd === 'stopped') {
        return bad(about, 'glusterd does not run', `on ${host}: systemctl start glusterd`);
      }
      return well(about, `can be added, with ${devices.map(({ name }) => name).join(', ')}`);
    });
}

async function look(context: Context, file: string | undefined): Promise<Finding[]> {
  let status: StatusAnswer;
  try {
    status = await context.get('/v1/status', Status);
  } catch (error) {
    return [
      bad(
        'server',
        describeError(error),
        'see that the gateway runs, and that --server, --user and --secret are right',
      ),
    ];
  }
  const topology = await context.get('/v1/topology?brief=true', TopologyLines);
  const wanted = file === undefined ? undefined : await readTopology(file);
  const hosts = wanted === undefined ? [] : fileFindings(wanted, topology, status);
  return [...serverFindings(status), ...clusterFindings(topology, wanted), ...status.nodes.map(nodeFinding), ...hosts];
}

const lineOf = ({ about, ok, says, remedy }: Finding): string[] => [
  `${ok ? 'ok  ' : 'BAD '} ${about}: ${says}`,
  ...(remedy === undefined ? [] : [`     → ${remedy}`]),
];

/** `brickyard preflight`. */
export function preflightCommand(program: Command, shell: Shell): void {
  const preflight = program
    .command('preflight')
    .argument('[topology]', 'a topology file whose hosts shall be looked at too')
    .description('check the server, its nodes and their agents; says what to do about what is not well');
  act(shell, preflight, z.object({}), async (context, args) => {
    const findings = await look(
      context,
      args.find((word: string | undefined) => word !== undefined && word !== ''),
    );
    context.print(findings, () => findings.flatMap(lineOf));
    return findings.every(({ ok }) => ok) ? EXIT.fine : EXIT.refused;
  });
}
