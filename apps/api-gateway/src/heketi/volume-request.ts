/** From a volume request's body to what the allocator is asked: defaults and checks in heketi's order. Pure. */
import {
  isDisperseOffered,
  type Durability,
  type DurabilityRequest,
  type Kib,
  kib,
  KIB_PER_GIB,
  type VolumeCloneRequest,
  type VolumeCreateRequest,
  type VolumeId,
  type VolumeSpec,
} from '@brickyard/contracts';
import { badRequest } from './text-error';
import { volumeCreateProblem } from './validation';

/** Gluster options the server puts before and after those of every request; each one text, split at commas. */
export interface ServerVolumeOptions {
  readonly before: string;
  readonly after: string;
  /** For block hosting volumes, before those of the request. */
  readonly hosting: string;
}

/** Group ids end here, although the text says 2**32. */
const GID_END = 2_147_483_647;
const REPLICA_DEFAULT = 2;
const REPLICA_MAX = 3;
const FACTOR_MAX = 100;
/** More than any cluster has, and still exact in KiB. */
const SIZE_MAX_GIB = Math.floor(Number.MAX_SAFE_INTEGER / KIB_PER_GIB);

/** The volume a request asks for; throws the 400 of the first check that fails. */
export function volumeSpecFrom(
  request: VolumeCreateRequest,
  volumeId: VolumeId,
  server: ServerVolumeOptions,
): VolumeSpec {
  refuse(volumeCreateProblem(request));
  refuse(gidProblem(request.gid ?? 0));
  const requested = request.durability ?? NO_DURABILITY;
  const type = requested.type === undefined || requested.type === '' ? 'none' : requested.type;
  refuse(['none', 'replicate', 'disperse'].includes(type) ? undefined : 'Unknown durability type');
  const snapshotFactor = snapshotFactorFrom(request.snapshot);
  const durability = durabilityFrom(type, requested);
  const block = request.block ?? false;
  return {
    name: request.name === undefined || request.name === '' ? `vol_${volumeId}` : request.name,
    sizeKib: sizeKibFrom(request.size ?? 0),
    durability,
    gid: request.gid ?? 0,
    options: [
      ...server.before.split(','),
      ...(block ? server.hosting.split(',') : []),
      ...(request.glustervolumeoptions ?? []),
      ...server.after.split(','),
    ],
    block,
    snapshots: request.snapshot?.enable ?? false,
    snapshotFactor,
    requestedDurability: echoed(type, requested, durability),
  };
}

/** The name a clone is asked to have, or heketi's default. */
export const cloneNameFrom = ({ name }: VolumeCloneRequest, volumeId: VolumeId): string =>
  name === undefined || name === '' ? `vol_${volumeId}` : name;

/** Whole GiB as KiB; what no cluster can hold is cut to what a number can. */
export const sizeKibFrom = (sizeGib: number): Kib => kib(Math.min(sizeGib, SIZE_MAX_GIB) * KIB_PER_GIB);

const NO_DURABILITY: DurabilityRequest = { type: undefined, replicate: undefined, disperse: undefined };

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw badRequest(problem);
}

function gidProblem(gid: number): string | undefined {
  if (gid < 0) return 'Bad group id less than zero';
  return gid >= GID_END ? 'Bad group id equal or greater than 2**32' : undefined;
}

/** A factor counts only when snapshots are on. heketi keeps it in 32 bits, and so must the sizes that follow from it. */
function snapshotFactorFrom(snapshot: VolumeCreateRequest['snapshot']): string {
  if (snapshot?.enable !== true) return '1';
  const factor = Math.fround(snapshot.factor ?? 0);
  refuse(factor >= 1 && factor <= FACTOR_MAX ? undefined : 'Invalid snapshot factor');
  return shortest32(factor);
}

/** The shortest decimal that means the same 32-bit number, as Go prints it. */
function shortest32(value: number): string {
  for (let digits = 1; digits < 10; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return String(candidate);
  }
  return String(value);
}

function durabilityFrom(type: string, { replicate, disperse }: DurabilityRequest): Durability {
  if (type === 'replicate') return replicated(replicate?.replica ?? 0);
  if (type === 'disperse') return dispersed(disperse?.data ?? 0, disperse?.redundancy ?? 0);
  return { kind: 'none' };
}

function replicated(asked: number): Durability {
  refuse(asked < 0 || asked > REPLICA_MAX ? 'Invalid replica value' : undefined);
  return { kind: 'replicate', replica: asked === 0 ? REPLICA_DEFAULT : asked };
}

function dispersed(data: number, redundancy: number): Durability {
  const offered = isDisperseOffered(data, redundancy);
  refuse(offered ? undefined : `Invalid dispersion combination: ${String(data)}+${String(redundancy)}`);
  return { kind: 'disperse', data, redundancy };
}

/** The durability as clients read it back: as sent, zeros left out; only the number of copies is told even when it was left to us. */
function echoed(type: string, requested: DurabilityRequest, durability: Durability): VolumeSpec['requestedDurability'] {
  const replica = durability.kind === 'replicate' ? durability.replica : (requested.replicate?.replica ?? 0);
  const { data = 0, redundancy = 0 } = requested.disperse ?? {};
  return {
    type,
    replicate: replica === 0 ? {} : { replica },
    disperse: { ...(data === 0 ? {} : { data }), ...(redundancy === 0 ? {} : { redundancy }) },
  };
}
