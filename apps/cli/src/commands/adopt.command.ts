/** Moving in with a Gluster pool that nobody managed: what its hosts have is shown, then taken over. */
import { planAdoption, type KnownNode } from '@brickyard/domain';
import type { Command } from 'commander';
import { z } from 'zod';
import { TopologyLines } from '../answers';
import type { Context } from '../context';
import { UsageError, type ExitCode } from '../exit-codes';
import { act, several, type Shell } from './act';
import { lookAtHosts, moveIn } from './import.command';

const Flags = z.object({ yes: z.boolean().default(false), zone: z.array(z.string()).default([]) });

/** `node1=2`: which host is in which zone. */
function zonesIn(words: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    words.map((word) => {
      const [, host = '', number] = /^(.+)=([1-9]\d{0,8})$/.exec(word) ?? [];
      if (number === undefined) throw new UsageError(`not a zone of a host: ${word}; write node1=2`);
      return [host, Number(number)] as const;
    }),
  );
}

/** What the log has of it already. */
function knownIn({ nodes, volumes }: TopologyLines): { nodes: KnownNode[]; volumeNames: ReadonlySet<string> } {
  return {
    nodes: nodes.map(({ id, cluster, hostnames, devices }) => ({
      nodeId: id as KnownNode['nodeId'],
      clusterId: cluster as KnownNode['clusterId'],
      manage: hostnames.manage[0] ?? '',
      devices: new Map(devices.map((device) => [device.name, device.id as never] as const)),
    })),
    volumeNames: new Set(volumes.map(({ cluster, name }) => `${cluster}/${name}`)),
  };
}

async function adopt(
  context: Context,
  names: readonly string[],
  { yes: isWanted, zone }: z.infer<typeof Flags>,
): Promise<ExitCode> {
  context.refuseAt();
  const zones = zonesIn(zone);
  const stray = [...zones.keys()].find((host) => !names.includes(host));
  if (stray !== undefined) throw new UsageError(`--zone speaks of ${stray}, which is not named`);
  const known = knownIn(await context.get('/v1/topology?brief=true', TopologyLines));
  const { hosts, silent } = await lookAtHosts(context, [...new Set(names)]);
  const { commands, findings } = planAdoption(hosts, { ...known, zones });
  const moving = { commands, findings, differences: [], silent };
  if (isWanted && silent.length > 0) {
    await moveIn(context, moving, false);
    throw new UsageError('hosts do not answer; start their agents, or go on without naming them');
  }
  return moveIn(context, moving, isWanted);
}

/** `brickyard adopt`. */
export function adoptCommand(program: Command, shell: Shell): void {
  const command = program
    .command('adopt')
    .argument('<hosts...>', 'every host of the pool, by the name its agent answers to')
    .description('take over a Gluster pool that nobody managed; shown only, unless --yes is said')
    .option('--zone <host=number>', 'its failure domain, 1 unless said; may be repeated', several)
    .option('--yes', 'take it over');
  act(shell, command, Flags, (context, hosts, flags) => adopt(context, hosts, flags));
}
