/** What is to be taken over, held against what its hosts say just now: before anything is written. Pure. */
import type { Brick, DumpFinding, HostsAnswer } from '@brickyard/contracts';
import type { AdoptCommand, SeenVolume } from './from-heketi';

type Look = HostsAnswer['hosts'][number];

const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

/** The volumes that hosts tell of, by name. */
export function volumesSeen(looks: readonly Look[]): ReadonlyMap<string, SeenVolume> {
  const seen = new Map<string, SeenVolume>();
  for (const { volumes } of looks) {
    for (const { name, bricks, options } of volumes) seen.set(name, { paths: bricks.map(pathOf), options });
  }
  return seen;
}

/** Everything in which the hosts that answered differ from the plan; a host that is silent says nothing. */
export function compareWithHosts(commands: readonly AdoptCommand[], looks: readonly Look[]): readonly DumpFinding[] {
  const byHost = new Map(looks.map((look) => [look.host as string, look] as const));
  const hostOf = new Map<string, string>();
  for (const command of commands) {
    if (command.type === 'AdoptNode') hostOf.set(command.nodeId, command.hostnames.manage[0] ?? '');
  }
  const lookAt = (nodeId: string): Look | undefined => byHost.get(hostOf.get(nodeId) ?? '');
  return [...commands.flatMap((command) => differencesOf(command, lookAt)), ...unknownVolumes(commands, looks)];
}

function differencesOf(command: AdoptCommand, lookAt: (nodeId: string) => Look | undefined): DumpFinding[] {
  if (command.type === 'AdoptDevice' && command.foreign !== true) {
    const look = lookAt(command.nodeId);
    const fact = look?.devices.find(({ deviceId }) => deviceId === command.deviceId);
    const subject = `device ${command.deviceId} (${command.name})`;
    if (look === undefined) return [];
    if (fact === undefined) return [found(subject, `is not on ${look.host}, or carries another id there`)];
    if (fact.problem !== undefined) return [found(subject, `on ${look.host}: ${fact.problem}`)];
    if (fact.totalKib === undefined || fact.totalKib === command.totalKib) return [];
    return [found(subject, `has ${String(fact.totalKib)} KiB on ${look.host}, not ${String(command.totalKib)}`)];
  }
  if (command.type !== 'AdoptVolume') return [];
  const subject = `volume ${command.volumeId} (${command.spec.name})`;
  return [...volumeDifference(subject, command, lookAt), ...brickDifferences(subject, command.bricks, lookAt)];
}

function volumeDifference(
  subject: string,
  { bricks, spec }: Extract<AdoptCommand, { type: 'AdoptVolume' }>,
  lookAt: (nodeId: string) => Look | undefined,
): DumpFinding[] {
  const looks = [...new Set(bricks.map(({ nodeId }) => nodeId))].flatMap((nodeId) => lookAt(nodeId) ?? []);
  const answered = looks.filter(({ glusterd }) => glusterd === 'running');
  if (answered.length === 0) return [];
  const fact = answered.flatMap(({ volumes }) => volumes.filter(({ name }) => name === spec.name))[0];
  if (fact === undefined) return [found(subject, 'is not known to Gluster on its hosts')];
  const paths = fact.bricks.map(pathOf);
  const isSame = paths.length === bricks.length && bricks.every(({ path }, index) => path === paths[index]);
  if (!isSame) return [found(subject, 'has other bricks in Gluster, or the same in another order')];
  return fact.status === 'started' ? [] : [found(subject, `is ${fact.status} in Gluster`)];
}

/** Agents tell of bricks that their driver made; those of others they only serve. */
function brickDifferences(
  subject: string,
  bricks: readonly Brick[],
  lookAt: (nodeId: string) => Look | undefined,
): DumpFinding[] {
  return bricks.flatMap(({ nodeId, path, foreign, poolOf }) => {
    const look = foreign === true || poolOf !== undefined ? undefined : lookAt(nodeId);
    if (look === undefined) return [];
    const fact = look.bricks.find((brick) => brick.path === path);
    if (fact === undefined) return [found(subject, `has no brick at ${path} on ${look.host}`)];
    return fact.mounted ? [] : [found(subject, `the brick at ${path} on ${look.host} is not mounted`)];
  });
}

function unknownVolumes(commands: readonly AdoptCommand[], looks: readonly Look[]): DumpFinding[] {
  const known = new Set(commands.flatMap((command) => (command.type === 'AdoptVolume' ? [command.spec.name] : [])));
  const names = new Set(looks.flatMap(({ volumes }) => volumes.map(({ name }) => name)));
  return [...names]
    .filter((name) => !known.has(name))
    .sort()
    .map((name) => found(`volume ${name}`, 'is in Gluster and would not be taken over'));
}

const found = (subject: string, problem: string): DumpFinding => ({ subject, problem, done: 'shows as drift' });
