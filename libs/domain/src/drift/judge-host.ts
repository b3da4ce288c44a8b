/** What a host says, held against the log: which differences there are, and which open ones are over. Pure. */
import type {
  Brick,
  DeviceFact,
  DriftClass,
  DriftFinding,
  DriftId,
  DriftSubject,
  NodeId,
  VolumeFact,
} from '@brickyard/contracts';
import type { ControlState, Device, Node, Volume } from '../control/control.state';
import { deriveId } from '../placement/derive-id';
import { driftLabel, type Drift, type HostReport } from './drift.state';
import { expectedOptions } from './expected-options';

/** What follows from one host's report. */
export interface Verdict {
  readonly findings: readonly DriftFinding[];
  /** Open differences that this report says are over. */
  readonly over: readonly DriftId[];
}

/** What the judge looks at: one host, in the world of the log and of what other hosts said. */
interface Hearing {
  readonly node: Node;
  readonly state: ControlState;
  readonly report: HostReport;
  /** Its Gluster answers and sees more than half of its pool: what it says of volumes and peers counts. */
  readonly hasGlusterView: boolean;
  readonly reportOf: (nodeId: NodeId) => HostReport | undefined;
  readonly volumes: ReadonlyMap<string, VolumeFact>;
}

type Facts = Pick<DriftFinding, 'class' | 'subject' | 'expected' | 'found'> & { readonly nodeIds?: readonly NodeId[] };

/** The id of a difference: the same whenever and by whomever it is seen. */
export const driftIdOf = (finding: Pick<DriftFinding, 'class' | 'subject'>): DriftId =>
  deriveId('drift', driftLabel(finding)) as DriftId;

function finding({ node }: Hearing, { nodeIds = [node.nodeId], ...facts }: Facts): DriftFinding {
  return { driftId: driftIdOf(facts), clusterId: node.clusterId, ...facts, nodeIds: [...nodeIds] };
}

/** A Gluster that sees no majority may tell of yesterday. */
export const seesMajority = ({ glusterd, peers }: HostReport): boolean =>
  glusterd === 'running' && peers.filter(({ connected }) => connected).length * 2 > peers.length;

/**
 * A host that was sent away from its pool sees a pool of its own, all of it: what it says of the others counts no more. It is
 * the one that most of them do not list; of two halves, the one without the first of them.
 */
function isOutside(
  { nodeId, clusterId }: Node,
  state: ControlState,
  reportOf: (nodeId: NodeId) => HostReport | undefined,
): boolean {
  const uuid = ownUuid(reportOf(nodeId));
  const telling = (state.clusters.get(clusterId)?.nodeIds ?? []).filter(
    (member) => isHeard(state.nodes.get(member)) && reportOf(member)?.glusterd === 'running',
  );
  const listing = telling.filter((member) => reportOf(member)?.peers.some((peer) => peer.uuid === uuid) === true);
  const more = 2 * listing.length - telling.length;
  return uuid !== undefined && (more < 0 || (more === 0 && listing[0] !== telling[0]));
}

/** Gluster's own id of a host. */
const ownUuid = (report: HostReport | undefined): string | undefined =>
  report?.peers.find(({ hostname }) => hostname === 'localhost')?.uuid;

/** A volume that is there and that nobody is at work on. */
const isSettled = ({ status, operationId }: Volume): boolean => status === 'ready' && operationId === undefined;

const isHeard = (node: Node | undefined): node is Node => node?.lifecycle === 'ready' && node.lostSince === undefined;

/** Judges the report of one node's host; a node that is lost, joining or leaving is not judged. */
export function judgeHost(
  nodeId: NodeId,
  state: ControlState,
  reportOf: (nodeId: NodeId) => HostReport | undefined,
): Verdict {
  const node = state.nodes.get(nodeId);
  const report = reportOf(nodeId);
  if (!isHeard(node) || report === undefined) return { findings: [], over: [] };
  const volumes = new Map(report.volumes.map((volume) => [volume.name, volume] as const));
  const hasGlusterView = seesMajority(report) && !isOutside(node, state, reportOf);
  const hearing: Hearing = { node, state, report, hasGlusterView, reportOf, volumes };
  const findings = [...deviceFindings(hearing), ...unknownBricks(hearing), ...glusterFindings(hearing)];
  const seen = new Set(findings.map(({ driftId }) => driftId));
  const over = [...state.drift.values()].filter((drift) => !seen.has(drift.driftId) && isJudged(drift, hearing));
  return { findings, over: over.map(({ driftId }) => driftId) };
}

/** Differences whose subject has left the log: nothing is expected of it any more. */
export function driftsWithoutSubject(state: ControlState): readonly DriftId[] {
  return [...state.drift.values()]
    .filter(({ subject, operationId }) => operationId === undefined && !hasSubject(subject, state))
    .map(({ driftId }) => driftId);
}

function hasSubject(subject: DriftSubject, state: ControlState): boolean {
  switch (subject.kind) {
    case 'volume':
    case 'option':
      return state.volumes.has(subject.volumeId);
    case 'brick':
      return state.volumes.get(subject.volumeId)?.bricks.some(({ brickId }) => brickId === subject.brickId) === true;
    case 'device':
      return state.devices.has(subject.deviceId);
    case 'peer':
    case 'unknown-brick':
      return state.nodes.has(subject.nodeId);
    case 'unknown-volume':
    case 'unknown-peer':
      return state.clusters.has(subject.clusterId);
  }
}

/** Whether the host that is heard can say that an open difference is over. */
function isJudged({ class: kind, subject, nodeIds, operationId }: Drift, hearing: Hearing): boolean {
  const { node, state, hasGlusterView } = hearing;
  if (operationId !== undefined || !nodeIds.includes(node.nodeId)) return false;
  switch (subject.kind) {
    case 'volume':
    case 'option': {
      const volume = state.volumes.get(subject.volumeId);
      return volume !== undefined && isSettled(volume) && hasGlusterView;
    }
    case 'brick': {
      const volume = state.volumes.get(subject.volumeId);
      const canTell = kind !== 'brick-stopped' || hasGlusterView;
      return subject.nodeId === node.nodeId && canTell && volume !== undefined && isSettled(volume);
    }
    case 'device':
      return state.devices.get(subject.deviceId)?.operationId === undefined;
    case 'unknown-brick':
      return subject.nodeId === node.nodeId;
    case 'peer':
    case 'unknown-peer':
    case 'unknown-volume':
      return hasGlusterView;
  }
}

function* deviceFindings(hearing: Hearing): Generator<DriftFinding> {
  const { node, state, report } = hearing;
  const known = new Map(report.devices.map((device) => [device.deviceId, device] as const));
  for (const deviceId of node.deviceIds) {
    const device = state.devices.get(deviceId);
    if (device?.lifecycle !== 'ready' || device.operationId !== undefined) continue;
    if (device.foreign === true) continue; // Agents look at what they made.
    const fact = known.get(deviceId);
    const trouble = fact?.totalKib === undefined ? missingDevice(hearing, device, fact) : undefined;
    if (trouble === undefined) yield* presentDevice(hearing, device, fact?.totalKib ?? 0);
    else yield trouble;
  }
}

const missingDevice = (hearing: Hearing, { deviceId, name }: Device, fact: DeviceFact | undefined): DriftFinding =>
  finding(hearing, {
    class: 'device-missing',
    subject: { kind: 'device', deviceId },
    expected: name,
    found: fact?.problem ?? '',
  });

function* presentDevice(hearing: Hearing, device: Device, totalKib: number): Generator<DriftFinding> {
  const { deviceId } = device;
  const subject = { kind: 'device', deviceId } as const;
  const pair = { expected: String(device.totalKib), found: String(totalKib) };
  if (totalKib !== device.totalKib) yield finding(hearing, { class: 'size-differs', subject, ...pair });
  for (const [brickId, volumeId] of device.bricks.entries()) {
    const volume = hearing.state.volumes.get(volumeId);
    const brick = volume?.bricks.find((one) => one.brickId === brickId);
    if (volume === undefined || brick === undefined || !isSettled(volume)) continue;
    yield* brickFindings(hearing, volume, brick);
  }
}

function* brickFindings(hearing: Hearing, volume: Volume, brick: Brick): Generator<DriftFinding> {
  const { brickId, nodeId, path, sizeKib } = brick;
  const subject = { kind: 'brick', volumeId: volume.volumeId, brickId, nodeId } as const;
  const told = (kind: DriftClass, expected: string, found: string): DriftFinding =>
    finding(hearing, { class: kind, subject, expected, found });
  const fact = bricksByPath(hearing.report).get(path);
  if (fact === undefined) {
    // Gluster itself mounts the bricks of a clone; a driver that cannot see them says nothing of them.
    if (brick.poolOf === undefined) yield told('brick-missing', path, '');
    return;
  }
  if (fact.sizeKib !== undefined && fact.sizeKib !== sizeKib) {
    yield told('size-differs', String(sizeKib), String(fact.sizeKib));
  }
  if (!fact.mounted) yield told('brick-unmounted', path, fact.problem ?? 'not mounted');
  else if (hearing.hasGlusterView && hearing.volumes.get(volume.spec.name)?.idle.includes(path) === true) {
    yield told('brick-stopped', 'served', 'its process does not run');
  }
}

const byPath = new WeakMap<HostReport, ReadonlyMap<string, HostReport['bricks'][number]>>();

/** A report's bricks by path; made once for each report, since a host may have hundreds. */
function bricksByPath(report: HostReport): ReadonlyMap<string, HostReport['bricks'][number]> {
  const known = byPath.get(report);
  if (known !== undefined) return known;
  const made = new Map(report.bricks.map((brick) => [brick.path, brick] as const));
  byPath.set(report, made);
  return made;
}

const BRICK_ID = /\/brick_([0-9a-f]{32})\/brick$/;

function* unknownBricks(hearing: Hearing): Generator<DriftFinding> {
  const { node, state, report } = hearing;
  const known = new Set<string>();
  for (const deviceId of node.deviceIds) {
    for (const brickId of state.devices.get(deviceId)?.bricks.keys() ?? []) known.add(brickId);
  }
  for (const brickId of bricksBeingRemoved(node, state)) known.add(brickId);
  for (const { path } of report.bricks) {
    const [, brickId] = BRICK_ID.exec(path) ?? [];
    if (brickId === undefined || known.has(brickId)) continue;
    const subject = { kind: 'unknown-brick', nodeId: node.nodeId, path } as const;
    yield finding(hearing, { class: 'brick-unknown', subject, expected: '', found: path });
  }
}

/** What earlier operations left on a host, and what is being removed there, is known. */
function* bricksBeingRemoved(node: Node, state: ControlState): Generator<string> {
  for (const { task } of node.residue) if ('brick' in task) yield task.brick.brickId;
  for (const { plan } of state.operations.values()) {
    if (plan.kind !== 'remove-residue') continue;
    for (const { task } of plan.residue) if ('brick' in task) yield task.brick.brickId;
  }
}

function* glusterFindings(hearing: Hearing): Generator<DriftFinding> {
  if (!hearing.hasGlusterView) return;
  for (const volume of volumesOn(hearing)) yield* volumeFindings(hearing, volume);
  yield* unknownVolumes(hearing);
  yield* peerFindings(hearing);
}

/** Volumes with a brick on the host that nobody is at work on; a place that is only kept for a brick to come is none. */
function volumesOn({ node, state }: Hearing): readonly Volume[] {
  const ids = new Set(node.deviceIds.flatMap((deviceId) => [...(state.devices.get(deviceId)?.bricks.values() ?? [])]));
  return [...ids].flatMap((volumeId) => {
    const volume = state.volumes.get(volumeId);
    if (volume === undefined || !isSettled(volume)) return [];
    return volume.bricks.some(({ nodeId }) => nodeId === node.nodeId) ? [volume] : [];
  });
}

function* volumeFindings(hearing: Hearing, volume: Volume): Generator<DriftFinding> {
  const { volumeId, spec } = volume;
  const subject = { kind: 'volume', volumeId } as const;
  const fact = hearing.volumes.get(spec.name);
  if (fact === undefined) {
    yield missingVolume(hearing, volume);
    return;
  }
  if (fact.status !== 'started') {
    yield finding(hearing, { class: 'volume-stopped', subject, expected: 'started', found: fact.status });
  }
  const difference = brickDifference(volume, fact);
  if (difference !== undefined) yield finding(hearing, { class: 'bricks-differ', subject, ...difference });
  yield* optionFindings(hearing, volume, fact);
}

function missingVolume(hearing: Hearing, { volumeId, spec, bricks }: Volume): DriftFinding {
  const others = [...new Set(bricks.map(({ nodeId }) => nodeId))].sort();
  const views = others.flatMap((nodeId) => {
    const report = isHeard(hearing.state.nodes.get(nodeId)) ? hearing.reportOf(nodeId) : undefined;
    return report !== undefined && seesMajority(report) ? [{ nodeId, report }] : [];
  });
  const missing = views.filter(({ report }) => !report.volumes.some(({ name }) => name === spec.name));
  const found = missing.length === views.length ? '' : `known to ${String(views.length - missing.length)} members`;
  const subject = { kind: 'volume', volumeId } as const;
  const nodeIds = missing.map(({ nodeId }) => nodeId);
  return finding(hearing, { class: 'volume-missing', subject, expected: spec.name, found, nodeIds });
}

const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

/** Paths are unique, since they carry ids; a host may have several names. */
function brickDifference(volume: Volume, fact: VolumeFact): { expected: string; found: string } | undefined {
  const wanted = [...volume.bricks].sort((one, other) => one.set - other.set || one.place - other.place);
  const expected = wanted.map(({ path }) => path);
  const found = fact.bricks.map(pathOf);
  if (expected.length === found.length && expected.every((path, index) => path === found[index])) return undefined;
  const [inLog, inGluster] = [new Set(expected), new Set(found)];
  const gone = expected.filter((path) => !inGluster.has(path));
  const more = found.filter((path) => !inLog.has(path));
  if (gone.length + more.length === 0) return { expected: 'bricks in their order', found: 'bricks in another order' };
  return { expected: gone.join(', '), found: more.join(', ') };
}

function* optionFindings(hearing: Hearing, volume: Volume, fact: VolumeFact): Generator<DriftFinding> {
  const { options, isComplete } = expectedOptions(volume);
  const keys = new Set([...Object.keys(options), ...(isComplete ? Object.keys(fact.options) : [])]);
  for (const key of [...keys].sort()) {
    const [expected = '', found = ''] = [options[key], fact.options[key]];
    if (expected === found) continue;
    const subject = { kind: 'option', volumeId: volume.volumeId, key } as const;
    yield finding(hearing, { class: 'option-changed', subject, expected, found });
  }
}

const OWNERS = ['user.brickyard.id', 'user.heketi.id'] as const;

function* unknownVolumes(hearing: Hearing): Generator<DriftFinding> {
  const { node, state, report } = hearing;
  const { clusterId } = node;
  const known = namesBeingRemoved(node, state);
  for (const { name, options, bricks, status } of report.volumes) {
    if (state.volumeNames.has(`${clusterId}/${name}`) || known.has(name)) continue;
    const owner = OWNERS.map((key) => options[key]).find((value) => value !== undefined) ?? '';
    const hasOurBricks = bricks.every((brick) => BRICK_ID.test(brick));
    const subject = { kind: 'unknown-volume', clusterId, name, owner, hasOurBricks } as const;
    yield finding(hearing, { class: 'volume-unknown', subject, expected: '', found: `${name}, ${status}` });
  }
}

/** Names of volumes that a member will be told to forget. */
function namesBeingRemoved({ clusterId }: Node, state: ControlState): ReadonlySet<string> {
  const nodes = (state.clusters.get(clusterId)?.nodeIds ?? []).flatMap((nodeId) => state.nodes.get(nodeId) ?? []);
  const residue = nodes.flatMap((node) => node.residue);
  const removing = [...state.operations.values()].flatMap(({ plan }) =>
    plan.kind === 'remove-residue' ? plan.residue : [],
  );
  const tasks = [...residue, ...removing].map(({ task }) => task);
  return new Set(
    tasks.flatMap((task) => {
      if (task.type === 'DeleteGlusterVolume') return [task.volume.name];
      return task.type === 'DeleteGlusterClone' ? [task.cloning.clone.name] : [];
    }),
  );
}

/** Gluster's own id of a node's host, when it has told it. */
const uuidOf = ({ reportOf }: Hearing, nodeId: NodeId): string | undefined => ownUuid(reportOf(nodeId));

function* peerFindings(hearing: Hearing): Generator<DriftFinding> {
  const { node, state, report } = hearing;
  const { clusterId } = node;
  const cluster = state.clusters.get(clusterId);
  const members = (cluster?.nodeIds ?? []).flatMap((nodeId) => state.nodes.get(nodeId) ?? []);
  const isChanging =
    (cluster?.joiningIds.length ?? 0) > 0 || members.some(({ operationId }) => operationId !== undefined);
  if (isChanging) return;
  const names = new Set(members.flatMap(({ hostnames }) => [...hostnames.storage, ...hostnames.manage]));
  const uuids = new Map(members.map(({ nodeId }) => [nodeId, uuidOf(hearing, nodeId)] as const));
  const listed = new Set(report.peers.map(({ uuid }) => uuid));
  for (const [nodeId, uuid] of uuids) {
    if (uuid === undefined || listed.has(uuid)) continue;
    const [name = ''] = state.nodes.get(nodeId)?.hostnames.storage ?? [];
    const subject = { kind: 'peer', nodeId } as const;
    yield finding(hearing, { class: 'peer-missing', subject, expected: name, found: '' });
  }
  const known = new Set([...uuids.values()]);
  for (const { uuid, hostname, names: aliases } of report.peers) {
    const isOurs =
      known.has(uuid) || hostname === 'localhost' || [hostname, ...aliases].some((name) => names.has(name as never));
    if (isOurs) continue;
    const subject = { kind: 'unknown-peer', clusterId, hostname, uuid } as const;
    yield finding(hearing, { class: 'peer-unknown', subject, expected: '', found: hostname });
  }
}
