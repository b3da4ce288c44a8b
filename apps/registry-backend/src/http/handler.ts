/** From a request below `/v2/` to the function that answers it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RepositoryName } from '@brickyard/contracts';
import { describeError, type Logger } from '@brickyard/service-host';
import { accessFor, type Grant, type Guard } from '../auth/guard';
import { factsFor, type Registry } from '../registry';
import { getCachedBlob } from '../upstream/cached-blobs';
import { listCachedReferrers, listCachedTags } from '../upstream/cached-listings';
import { getCachedManifest } from '../upstream/cached-manifests';
import { sourceOf } from '../upstream/source-of';
import { deleteBlob, getBlob } from './blobs';
import { Exchange } from './exchange';
import { listReferrers, listRepositories, listTags } from './listings';
import { deleteManifest, getManifest, putManifest } from './manifests';
import { OciError, ociErrorFrom } from './oci-error';
import { type Route, routeOf } from './route';
import { patchUpload } from './uploads/append-upload';
import { postUpload } from './uploads/begin-upload';
import { putUpload } from './uploads/finish-upload';
import { deleteUpload, getUpload } from './uploads/follow-upload';

/** Parsed paths that are asked for again and again. */
const ROUTES_KEPT = 4_096;
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** Told of every request, for metrics and the access log. */
export interface Watcher {
  begun(): void;
  ended(exchange: Exchange, route: Route, startedAt: number, error: OciError | undefined): void;
}

type Answering = void | Promise<void>;
type Handle = (registry: Registry, exchange: Exchange, grant: Grant) => Answering;

/** Takes requests below `/v2/`. */
export function createHandler(
  registry: Registry,
  guard: Guard,
  watcher: Watcher,
): (request: IncomingMessage, response: ServerResponse, isContinueExpected?: boolean) => void {
  const routes = new Map<string, Route>();
  const routeFor = (path: string): Route => {
    const known = routes.get(path);
    if (known !== undefined) return known;
    const route = routeOf(path);
    if (routes.size >= ROUTES_KEPT) routes.clear();
    routes.set(path, route);
    return route;
  };
  return (request, response, isContinueExpected = false) => {
    const startedAt = performance.now();
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    const exchange = new Exchange(request, response, requestId, isContinueExpected);
    const route = registry.upstreams.meant(routeFor(exchange.path), exchange);
    let failure: OciError | undefined;
    watcher.begun();
    response.once('close', () => {
      watcher.ended(exchange, route, startedAt, failure);
    });
    response.on('error', () => undefined); // The client is gone; 'close' follows.
    request.on('error', () => undefined);
    const fail = (error: unknown): void => {
      failure = ociErrorFrom(error);
      sendError(exchange, failure, registry.log);
    };
    try {
      const answering = answer(registry, guard, exchange, route);
      if (answering instanceof Promise) answering.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
}

function answer(registry: Registry, guard: Guard, exchange: Exchange, route: Route): Answering {
  const methods = methodsOf(route);
  const handle = methods[exchange.method];
  const grant = guard.admit(exchange, accessFor(route, exchange.method));
  const go = (granted: Grant): Answering => {
    exchange.actor = granted.actor;
    if (handle !== undefined) return handle(registry, exchange, granted);
    const allow = Object.keys(methods).join(', ');
    throw new OciError('UNSUPPORTED', `${exchange.method} is not possible here`, { headers: { allow } });
  };
  return grant instanceof Promise ? grant.then(go) : go(grant);
}

/** What can be done with a resource. */
function methodsOf(route: Route): Readonly<Record<string, Handle>> {
  switch (route.kind) {
    case 'base':
      return reading((_, exchange) => {
        exchange.json(200, {});
      });
    case 'catalog':
      return reading(async (registry, exchange, { mayPull }) => {
        listRepositories(registry, exchange, await factsFor(registry, exchange.query.get('at')), mayPull);
      });
    case 'extensions':
      return reading((_, exchange) => {
        exchange.json(200, { extensions: [] });
      });
    case 'tags':
      return reading(async (registry, exchange) => {
        const source = sourceOf(registry, route.name);
        if (source !== undefined) await listCachedTags(registry, exchange, source);
        else listTags(exchange, await factsFor(registry, exchange.query.get('at')), route.name);
      });
    case 'referrers':
      return reading(async (registry, exchange) => {
        const source = sourceOf(registry, route.name);
        if (source !== undefined) return listCachedReferrers(registry, exchange, source, route.digest);
        const at = await factsFor(registry, exchange.query.get('at'));
        return listReferrers(registry, exchange, at, route.name, route.digest);
      });
    case 'manifest':
      return {
        ...reading((registry, exchange) => {
          const source = sourceOf(registry, route.name);
          return source === undefined
            ? getManifest(registry, exchange, route.name, route.reference)
            : getCachedManifest(registry, exchange, source, route.reference);
        }),
        PUT: pushing(route.name, (registry, exchange) => putManifest(registry, exchange, route.name, route.reference)),
        DELETE: deleting((registry, exchange) => deleteManifest(registry, exchange, route.name, route.reference)),
      };
    case 'blob':
      return {
        ...reading((registry, exchange) => {
          const source = sourceOf(registry, route.name);
          return source === undefined
            ? getBlob(registry, exchange, route.name, route.digest)
            : getCachedBlob(registry, exchange, source, route.digest);
        }),
        DELETE: deleting((registry, exchange) => deleteBlob(registry, exchange, route.name, route.digest)),
      };
    case 'uploads':
      return {
        POST: pushing(route.name, (registry, exchange, { mayPull }) =>
          postUpload(registry, exchange, route.name, mayPull),
        ),
      };
    case 'upload':
      return {
        GET: (registry, exchange) => getUpload(registry, exchange, route.name, route.uploadId),
        PATCH: (registry, exchange) => patchUpload(registry, exchange, route.name, route.uploadId),
        PUT: (registry, exchange) => putUpload(registry, exchange, route.name, route.uploadId),
        DELETE: (registry, exchange) => deleteUpload(registry, exchange, route.name, route.uploadId),
      };
    case 'bad-name':
      throw new OciError('NAME_INVALID', 'not a name of a repository', { detail: { name: route.name } });
    case 'unknown':
      throw new OciError('NOT_FOUND', 'there is nothing here');
  }
}

const reading = (handle: Handle): Readonly<Record<string, Handle>> => ({ GET: handle, HEAD: handle });

/** What comes from elsewhere is pushed there, not here. */
const pushing =
  (name: RepositoryName, handle: Handle): Handle =>
  (registry, exchange, grant) => {
    const source = sourceOf(registry, name);
    if (source === undefined) return handle(registry, exchange, grant);
    throw new OciError('UNSUPPORTED', `this repository is a cache of ${source.fetchedFrom}: push to that`);
  };

const deleting =
  (handle: Handle): Handle =>
  (registry, exchange, grant) => {
    if (registry.settings.isDeleteEnabled) return handle(registry, exchange, grant);
    throw new OciError('UNSUPPORTED', 'nothing may be deleted here');
  };

function sendError(exchange: Exchange, error: OciError, log: Logger): void {
  if (error.status >= 500) {
    const reason = describeError(error.cause ?? error);
    log.warn({ requestId: exchange.requestId, method: exchange.method, path: exchange.path, reason }, error.message);
  }
  const body = error.body;
  exchange.send(error.status, { 'content-type': 'application/json', ...error.headers }, body);
}
