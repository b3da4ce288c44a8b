/** Every route of the HTTP API, in the order in which people look for them: what it takes and what it answers. */
import type { z } from 'zod';
import { AdoptionAnswer, AdoptionRequest, HostsAnswer, RebuildRequest } from './adoption.api';
import * as answers from './heketi.answers';
import * as requests from './heketi.api';
import { WhatIfRequest } from './what-if.api';

/** One route. */
export interface ApiRoute {
  readonly method: 'get' | 'post' | 'delete';
  /** With `{id}` for the id of a thing, `{name}` for somebody's name. */
  readonly path: string;
  readonly group: string;
  readonly summary: string;
  /** What may be asked for in the query beside the moment, each with what it does. */
  readonly query?: Readonly<Record<string, string>>;
  /** Needs no token. */
  readonly isOpen?: true;
  /** Whether it is answered as of a moment that the query may name. */
  readonly hasMoment: boolean;
  readonly body?: z.ZodType;
  /** The body may be left out. */
  readonly isBodyOptional?: true;
  /** The statuses of success, each with its JSON, or with the type of what is not JSON. */
  readonly success: Readonly<Partial<Record<200 | 201 | 202 | 204 | 303, z.ZodType | string | undefined>>>;
  /** What it may refuse with, besides what every route may. */
  readonly refusals: readonly number[];
}

type Given = Partial<Pick<ApiRoute, 'body' | 'hasMoment' | 'isBodyOptional' | 'isOpen' | 'query'>>;
const BRIEF = { brief: 'true: of volumes and bricks only what lists show' } as const;
const limit = (absent: number, max: number): string =>
  `At most so many: 1 to ${String(max)}; ${String(absent)} when absent`;
const HISTORY = { limit: limit(1_000, 10_000) } as const;
/** Which events are wanted; all that is said must be true of one. */
const EVENT_FILTER = {
  stream: 'Of one thing: its kind and id, such as volume-0123…',
  type: 'Of these types, separated by commas; a type that no event has is no error',
  actor: 'Caused by somebody, or on their behalf',
  address: 'Asked for from an address',
  operation: 'Of one operation, by its id',
  mentions: 'That name an id',
} as const;
const ACCEPTED = { 202: undefined } as const;
const JSON_ANSWER = { 200: 'application/json' } as const;
/** 500 is heketi's status for what cannot be allocated, and for conflicts. */
const CHANGE = [400, 404, 409, 422, 429, 500];

const route =
  (method: ApiRoute['method'], refusals: readonly number[]) =>
  (group: string, path: string, summary: string, success: ApiRoute['success'], given: Given = {}): ApiRoute => ({
    method,
    path,
    group,
    summary,
    success,
    refusals: refusals.filter((status) => path.includes('{') || status !== 404 || method === 'post'),
    hasMoment: method === 'get' && given.isOpen !== true,
    ...given,
  });

const get = route('get', [400, 404]);
const post = route('post', CHANGE);
const remove = route('delete', CHANGE);
const open = { isOpen: true } as const;
const now = { hasMoment: false } as const;

/** heketi's routes, then our own. */
export const apiRoutes: readonly ApiRoute[] = [
  get('clusters', '/clusters', 'Ids of all clusters', { 200: answers.ClusterListAnswer }),
  post(
    'clusters',
    '/clusters',
    'Makes a cluster',
    { 201: answers.ClusterAnswer },
    { body: requests.ClusterCreateRequest },
  ),
  get('clusters', '/clusters/{id}', 'One cluster', { 200: answers.ClusterAnswer }),
  post(
    'clusters',
    '/clusters/{id}/flags',
    'Sets which volumes it takes',
    { 200: undefined },
    { body: requests.ClusterCreateRequest },
  ),
  remove('clusters', '/clusters/{id}', 'Removes an empty cluster', { 200: undefined }),
  post('nodes', '/nodes', 'Adds a host to a cluster', ACCEPTED, { body: requests.NodeAddRequest }),
  get('nodes', '/nodes/{id}', 'One node with its devices', { 200: answers.NodeAnswer }),
  post('nodes', '/nodes/{id}/state', 'Puts it online or offline, or takes it out for good', ACCEPTED, {
    body: requests.StateRequest,
  }),
  post(
    'nodes',
    '/nodes/{id}/tags',
    'Sets, lays over or takes away tags',
    { 200: answers.TagsAnswer },
    { body: requests.TagsRequest },
  ),
  remove('nodes', '/nodes/{id}', 'Removes a node without devices', ACCEPTED),
  post('devices', '/devices', 'Adds a device of a node', ACCEPTED, { body: requests.DeviceAddRequest }),
  get('devices', '/devices/{id}', 'One device with its bricks', { 200: answers.DeviceAnswer }),
  post('devices', '/devices/{id}/state', 'Puts it online or offline, or takes it out for good', ACCEPTED, {
    body: requests.StateRequest,
  }),
  post(
    'devices',
    '/devices/{id}/tags',
    'Sets, lays over or takes away tags',
    { 200: answers.TagsAnswer },
    { body: requests.TagsRequest },
  ),
  route('get', [400, 404, 500])(
    'devices',
    '/devices/{id}/resync',
    'Looks again on its host how large it is',
    ACCEPTED,
    now,
  ),
  remove('devices', '/devices/{id}', 'Gives a failed device back', ACCEPTED, {
    body: requests.DeviceDeleteRequest,
    isBodyOptional: true,
  }),
  get('volumes', '/volumes', 'Ids of all volumes', { 200: answers.VolumeListAnswer }),
  post('volumes', '/volumes', 'Makes a volume', ACCEPTED, { body: requests.VolumeCreateRequest }),
  get('volumes', '/volumes/{id}', 'One volume, how to mount it, its bricks', { 200: answers.VolumeAnswer }),
  post('volumes', '/volumes/{id}/expand', 'Makes it larger by so many GiB', ACCEPTED, {
    body: requests.VolumeExpandRequest,
  }),
  post('volumes', '/volumes/{id}/clone', 'Makes another volume with its content', ACCEPTED, {
    body: requests.VolumeCloneRequest,
  }),
  post('volumes', '/volumes/{id}/block-restriction', 'Keeps new block volumes off it, or lets them in', ACCEPTED, {
    body: requests.BlockRestrictionRequest,
  }),
  remove('volumes', '/volumes/{id}', 'Deletes a volume and its data', ACCEPTED),
  post('bricks', '/bricks/to-evict/{id}', 'Moves a brick to another device', ACCEPTED, {
    body: requests.BrickEvictRequest,
    isBodyOptional: true,
  }),
  get('block volumes', '/blockvolumes', 'Ids of all block volumes', { 200: answers.BlockVolumeListAnswer }),
  post('block volumes', '/blockvolumes', 'Makes a block volume', ACCEPTED, { body: requests.BlockVolumeCreateRequest }),
  get('block volumes', '/blockvolumes/{id}', 'One block volume', { 200: answers.BlockVolumeAnswer }),
  post('block volumes', '/blockvolumes/{id}/expand', 'Makes it so many GiB large', ACCEPTED, {
    body: requests.BlockVolumeExpandRequest,
  }),
  remove('block volumes', '/blockvolumes/{id}', 'Deletes a block volume', ACCEPTED),
  route('get', [404, 500])('operations', '/queue/{id}', 'How work goes: pending, its result, or why it failed', {
    200: undefined,
    204: undefined,
    303: undefined,
  }),
  get('operations', '/operations', 'How many operations there are', { 200: answers.OperationCountsAnswer }),
  get('operations', '/operations/pending', 'Operations that are not over', { 200: answers.PendingOperationListAnswer }),
  get('operations', '/operations/pending/{id}', 'What one of them changes', { 200: answers.PendingOperationAnswer }),
  post('operations', '/operations/pending/cleanup', 'Removes what was left on hosts', ACCEPTED, {
    body: requests.CleanupRequest,
  }),
  get('server', '/hello', 'Whether the server is there', { 200: 'text/plain' }, open),
  get('server', '/metrics', 'Gauges for Prometheus', { 200: 'text/plain' }, open),
  get('server', '/openapi.json', 'This description', JSON_ANSWER, open),
  get('server', '/docs', 'This description as a page', { 200: 'text/html' }, open),
  get('server', '/admin', 'Who may change things', { 200: answers.AdminAnswer }),
  post('server', '/admin', 'Sets who may change things', { 204: undefined }, { body: requests.AdminRequest }),
  get('server', '/internal/logging', 'The log level of this gateway', { 200: answers.LoggingAnswer }),
  post('server', '/internal/logging', 'Sets it', { 200: answers.LoggingAnswer }, { body: requests.LoggingRequest }),
  get('server', '/internal/state/examine/gluster', 'The state beside what hosts say', { 200: answers.ExamineAnswer }),
  get('server', '/db/dump', 'Everything, as heketi’s database holds it', { 200: answers.DumpAnswer }),
  get('server', '/db/check', 'Whether that agrees with itself', { 200: answers.CheckAnswer }),
  get('server', '/backup/db', 'The dump, compressed', { 200: 'application/octet-stream' }),
  post(
    'moving in',
    '/v1/adoptions',
    'Takes over what exists, without touching hosts; the API is read-only from then on',
    { 200: AdoptionAnswer },
    { body: AdoptionRequest },
  ),
  post('moving in', '/v1/adoptions/confirm', 'Lets changes in again', { 204: undefined }),
  get('recovery', '/v1/restore', 'A log that was put back from a backup, and what it waits for', {
    200: 'application/json',
  }),
  post('recovery', '/v1/restore/confirm', 'Goes on in spite of differences', JSON_ANSWER),
  post(
    'recovery',
    '/v1/rebuild',
    'Takes into the log what stamps on hosts tell; only says what it would do, unless apply is true',
    JSON_ANSWER,
    { body: RebuildRequest },
  ),
  get(
    'moving in',
    '/v1/hosts',
    'Hosts as their agents see them now, known or not',
    { 200: HostsAnswer },
    { ...now, query: { name: 'A host; repeated, up to 200' } },
  ),
  get('history', '/v1/status', 'The whole at a glance', JSON_ANSWER),
  get('history', '/v1/topology', 'Clusters, nodes, devices and volumes in one answer', JSON_ANSWER, { query: BRIEF }),
  get('history', '/v1/volumes', 'Volumes in one answer', JSON_ANSWER, { query: BRIEF }),
  get('history', '/v1/operations', 'Operations under way and lately ended', JSON_ANSWER),
  get('history', '/v1/operations/{id}', 'One operation: its step, its tasks, what it waits for', {
    200: 'application/json',
  }),
  ...['cluster', 'node', 'device', 'brick', 'volume', 'blockvolume', 'operation'].map((kind) =>
    get('history', `/v1/history/${kind}s/{id}`, `Every event about one ${kind}`, JSON_ANSWER, { query: HISTORY }),
  ),
  get('history', '/v1/history/actors/{name}', 'What somebody did, the latest last', JSON_ANSWER, { query: HISTORY }),
  get('history', '/v1/events', 'Events of the log that pass a filter, page by page', JSON_ANSWER, {
    query: {
      ...EVENT_FILTER,
      from: 'From this position, or after this time (RFC 3339)',
      to: 'Up to this position or time',
      order: 'oldest (first; when absent) or newest',
      limit: limit(100, 10_000),
    },
  }),
  get(
    'history',
    '/v1/events/stream',
    'The same as server-sent events that never end; goes on after Last-Event-ID',
    { 200: 'text/event-stream' },
    {
      ...now,
      query: { ...EVENT_FILTER, from: 'From this position, or after this time; with the next event when absent' },
    },
  ),
  get('explanations', '/v1/explain/volumes/{id}', 'Why its bricks lie where they lie, and their moves', JSON_ANSWER),
  get('explanations', '/v1/explain/operations/{id}', 'How it went, what it waits for, what comes next', JSON_ANSWER),
  route('get', [404])(
    'explanations',
    '/v1/explain/refusals/{id}',
    'Why a request was refused: the id is its X-Brickyard-Refusal',
    JSON_ANSWER,
    now,
  ),
  route('post', [400, 404])(
    'explanations',
    '/v1/what-if',
    'What would happen, step by step on a fork of the log; nothing is recorded',
    JSON_ANSWER,
    { body: WhatIfRequest, hasMoment: true },
  ),
  get('drift', '/v1/drift', 'Where hosts and log differ', JSON_ANSWER),
  get('drift', '/v1/drift/{id}', 'One difference, and what can be done about it', JSON_ANSWER),
  post('drift', '/v1/drift/{id}/accept', 'What the hosts have is what is wanted from now on', ACCEPTED),
  post('drift', '/v1/drift/{id}/restore', 'The hosts get back what the log says', ACCEPTED),
  get('console', '/v1/overview', 'What the first page of the console is drawn from', JSON_ANSWER),
  get('console', '/v1/overview/volumes', 'Volumes a page at a time', JSON_ANSWER, {
    query: {
      search: 'Only those whose name holds this text, or whose id begins with it',
      limit: limit(50, 1_000),
      offset: 'So many are passed over',
    },
  }),
];
