/** What is wrong with the fields of a request, in the words of heketi's validator. Pure. */
import {
  AdminMode,
  type AdminRequest,
  BlockRestriction,
  type BlockRestrictionRequest,
  type BlockVolumeCreateRequest,
  type BlockVolumeExpandRequest,
  type CleanupRequest,
  type DeviceAddRequest,
  HostName,
  isGlusterVolumeName,
  type NodeAddRequest,
  type StateRequest,
  TagChange,
  type TagsRequest,
  type VolumeCloneRequest,
} from '@brickyard/contracts';
import { isIP } from 'node:net';

/** A field's problem, absent when it has none. */
type Problem = string | undefined;
type Problems = Readonly<Record<string, Problem>>;

const BLANK = 'cannot be blank';
const TOO_SMALL = 'must be no less than 1';
const BAD_FORMAT = 'must be in a valid format';
const BAD_VALUE = 'must be a valid value';

const UUID = /^[A-Fa-f0-9]{32}$/;
const DEVICE_NAME = /^\/[a-zA-Z0-9_.:/-]+$/;
const VOLUME_NAME = /^[a-zA-Z0-9_-]+$/;
const TAG_NAME = /^[a-zA-Z0-9_.-]+$/;
const DNS_NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?$/;

const TAGS_MAX = 32;
const TAG_NAME_MAX = 32;
const TAG_VALUE_MAX = 64;
const CLEANUPS_MAX = 32;

/** The text of a 400, or nothing when every field is acceptable. */
function validationText(problems: Problems): Problem {
  const text = joined(problems);
  return text === undefined ? undefined : `validation failed: ${text}`;
}

/** Problems sorted by field: `a: reason; b: reason.` */
function joined(problems: Problems): Problem {
  const found = Object.entries(problems).filter(([, problem]) => problem !== undefined);
  if (found.length === 0) return undefined;
  const sorted = found.sort(([left], [right]) => (left < right ? -1 : 1));
  return `${sorted.map(([field, problem]) => `${field}: ${String(problem)}`).join('; ')}.`;
}

const nested = (problems: Problems): Problem => {
  const text = joined(problems);
  return text === undefined ? undefined : `(${text})`;
};

/** What is wrong with `POST /nodes`. */
export function nodeAddProblem(request: NodeAddRequest): Problem {
  const { manage, storage } = request.hostnames ?? {};
  return validationText({
    zone: positive(request.zone),
    cluster: uuid(request.cluster),
    hostnames: nested({ manage: hostnames(manage, 'manage'), storage: hostnames(storage, 'storage') }),
    tags: tagsProblem(request.tags ?? {}),
  });
}

/** What is wrong with `POST /devices`. */
export function deviceAddProblem(request: DeviceAddRequest): Problem {
  return validationText({
    name: pattern(request.name, DEVICE_NAME) ?? blank(request.name),
    node: uuid(request.node),
    tags: tagsProblem(request.tags ?? {}),
  });
}

/** What is wrong with `POST /nodes/{id}/state` and the same of a device. */
export function stateProblem({ state = '', healcheck = '' }: Partial<StateRequest>): Problem {
  const known = ['online', 'offline', 'failed'].includes(state);
  return validationText({
    state: blank(state) ?? (known ? undefined : `${state} is not valid state`),
    healcheck: healCheck(healcheck),
  });
}

/** What is wrong with `POST /bricks/to-evict/{id}`. */
export const healCheckProblem = ({ healcheck = '' }: { readonly healcheck?: string | undefined }): Problem =>
  validationText({ healcheck: healCheck(healcheck) });

const healCheck = (wanted: string): Problem =>
  ['', 'enable', 'disable'].includes(wanted) ? undefined : `${wanted} is not valid heal info check`;

/** Letters are heketi's rule; what Gluster itself refuses is told before a host has begun. */
function volumeName(name: string | undefined): Problem {
  const problem = pattern(name, VOLUME_NAME);
  if (problem !== undefined || name === undefined || name === '' || isGlusterVolumeName(name)) return problem;
  return `"${name}" cannot be the name of a Gluster volume`;
}

/** What is wrong with size and name of `POST /volumes`; the other fields have texts of their own. */
export function volumeCreateProblem(request: {
  readonly size?: number | undefined;
  readonly name?: string | undefined;
}): Problem {
  return validationText({ size: positive(request.size), name: volumeName(request.name) });
}

/** What is wrong with `POST /volumes/{id}/expand`. */
export function volumeExpandProblem(request: { readonly expand_size?: number | undefined }): Problem {
  return validationText({ expand_size: positive(request.expand_size) });
}

/** What is wrong with `POST /volumes/{id}/clone`. */
export const volumeCloneProblem = ({ name }: VolumeCloneRequest): Problem => validationText({ name: volumeName(name) });

/** What is wrong with `POST /nodes/{id}/tags` and the same of a device. */
export function tagsChangeProblem({ tags = {}, change_type }: TagsRequest): Problem {
  return validationText({
    change_type: blank(change_type) ?? oneOf(change_type, TagChange),
    tags: tagsProblem(tags),
  });
}

/** What is wrong with `POST /volumes/{id}/block-restriction`. */
export const restrictionProblem = ({ restriction = '' }: BlockRestrictionRequest): Problem =>
  validationText({ restriction: oneOf(restriction, BlockRestriction) });

/** What is wrong with `POST /admin`. */
export const adminProblem = ({ state }: AdminRequest): Problem =>
  validationText({ state: blank(state) ?? oneOf(state, AdminMode) });

/** What is wrong with `POST /operations/pending/cleanup`. */
export function cleanupProblem({ operations = [] }: CleanupRequest): Problem {
  const bad = operations.find((id) => !UUID.test(id));
  const count = operations.length;
  const tooMany = `too many ids specified (${String(count)}), up to ${String(CLEANUPS_MAX)} supported`;
  return validationText({
    operations: count > CLEANUPS_MAX ? tooMany : bad === undefined ? undefined : `${bad} is not a valid UUID`,
  });
}

/** What is wrong with `POST /blockvolumes`. */
export function blockVolumeCreateProblem({ size, name, hacount = 0 }: BlockVolumeCreateRequest): Problem {
  return validationText({
    size: positive(size),
    name: pattern(name, VOLUME_NAME),
    hacount: hacount < 0 ? TOO_SMALL : undefined,
  });
}

/** What is wrong with `POST /blockvolumes/{id}/expand`. */
export const blockVolumeExpandProblem = ({ new_size }: BlockVolumeExpandRequest): Problem =>
  validationText({ new_size: positive(new_size) });

const oneOf = (value: string | undefined, words: { safeParse(value: unknown): { success: boolean } }): Problem =>
  words.safeParse(value).success ? undefined : BAD_VALUE;

/** The first thing wrong with a set of tags. */
export function tagsProblem(tags: Readonly<Record<string, string>>): Problem {
  const names = Object.keys(tags).sort();
  if (names.length > TAGS_MAX) {
    return `too many tags specified (${String(names.length)}), up to ${String(TAGS_MAX)} supported`;
  }
  for (const name of names) {
    const problem = tagProblem(name, tags[name] ?? '');
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function tagProblem(name: string, value: string): Problem {
  if (name === '') return 'tag names may not be empty';
  if (lengthOf(name) > TAG_NAME_MAX) {
    return `tag name ${name}: the length must be between 1 and ${String(TAG_NAME_MAX)}`;
  }
  if (lengthOf(value) > TAG_VALUE_MAX) {
    return `value of tag ${name}: the length must be no more than ${String(TAG_VALUE_MAX)}`;
  }
  return TAG_NAME.test(name) ? undefined : `invalid characters in tag name ${name}`;
}

/** In characters as Go counts them: code points. */
const lengthOf = (text: string): number => Array.from(text).length;

const blank = (value: string | undefined): Problem => (value === undefined || value === '' ? BLANK : undefined);

/** An empty value is for `blank` to judge. */
function pattern(value: string | undefined, allowed: RegExp): Problem {
  return value === undefined || value === '' || allowed.test(value) ? undefined : BAD_FORMAT;
}

function positive(value: number | undefined): Problem {
  if (value === undefined || value === 0) return BLANK;
  return value < 1 ? TOO_SMALL : undefined;
}

function uuid(value: string | undefined): Problem {
  if (value === undefined || value === '') return BLANK;
  return UUID.test(value) ? undefined : `${value} is not a valid UUID`;
}

function hostnames(names: readonly string[] | undefined, kind: 'manage' | 'storage'): Problem {
  if (names === undefined || names.length === 0) return BLANK;
  return names.every(isHost) ? undefined : `[${names.join(' ')}] is not a valid ${kind} hostname`;
}

/** An address or DNS name that heketi takes and that can be part of a command line: it never begins with a hyphen. */
function isHost(name: string): boolean {
  return (isIP(name) > 0 || DNS_NAME.test(name)) && HostName.safeParse(name).success;
}
