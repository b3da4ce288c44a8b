/** Tells others of pushes and deletions in the form that registries use, from a cursor that survives a restart. */
import type { RegistryEvent } from '@brickyard/contracts';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { type LedgerReader, type Relay, startRelay } from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger, type Metrics } from '@brickyard/service-host';
import type { Webhook } from '../config-file';
import { registryEventFrom } from '@brickyard/domain/registry';

const CONTENT_TYPE = 'application/vnd.docker.distribution.events.v1+json';
const BLOB_TYPE = 'application/octet-stream';

interface Notice {
  readonly id: string;
  readonly timestamp: string;
  readonly action: 'push' | 'mount' | 'delete';
  readonly target: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, string>>;
  readonly actor: { readonly name: string };
  readonly source: Readonly<Record<string, string>>;
}

/** What is told of an event; undefined when nobody outside wants to know. */
export function noticeOf(stored: StoredEvent, baseUrl: string, instance: string): Notice | undefined {
  const event = registryEventFrom(stored);
  const told = event === undefined ? undefined : toldOf(event, baseUrl);
  if (told === undefined) return undefined;
  const { actor, correlationId } = stored.metadata;
  return {
    id: stored.eventId,
    timestamp: stored.recordedAt,
    action: told.action,
    target: told.target,
    request: {
      id: correlationId,
      addr: actor.address ?? '',
      host: new URL(baseUrl).host,
      method: told.method,
      useragent: '',
    },
    actor: { name: actor.name },
    source: { addr: new URL(baseUrl).host, instanceID: instance },
  };
}

type Told = Pick<Notice, 'action' | 'target'> & { readonly method: string };

function toldOf(event: RegistryEvent, baseUrl: string): Told | undefined {
  switch (event.type) {
    case 'BlobLinked': {
      const { repository, digest, size, mountedFrom } = event;
      const url = `${baseUrl}/v2/${repository}/blobs/${digest}`;
      const target = { mediaType: BLOB_TYPE, size, length: size, digest, repository, url };
      return mountedFrom === undefined
        ? { action: 'push', method: 'PUT', target }
        : { action: 'mount', method: 'POST', target: { ...target, fromRepository: mountedFrom } };
    }
    case 'ManifestPushed': {
      const { repository, digest, size, mediaType } = event;
      const url = `${baseUrl}/v2/${repository}/manifests/${digest}`;
      return { action: 'push', method: 'PUT', target: { mediaType, size, length: size, digest, repository, url } };
    }
    case 'TagMoved': {
      const { repository, digest, tag } = event;
      const url = `${baseUrl}/v2/${repository}/manifests/${digest}`;
      return { action: 'push', method: 'PUT', target: { digest, repository, url, tag } };
    }
    case 'TagDeleted':
      return { action: 'delete', method: 'DELETE', target: { repository: event.repository, tag: event.tag } };
    case 'ManifestDeleted':
    case 'BlobUnlinked':
      return { action: 'delete', method: 'DELETE', target: { digest: event.digest, repository: event.repository } };
    case 'ManifestPulled':
    case 'BlobStored':
    case 'BlobCondemned':
    case 'BlobRemoved':
    case 'BlobFoundBad':
    case 'UploadOpened':
    case 'UploadAdvanced':
    case 'UploadEnded':
    case 'WritesSwitched':
      return undefined;
  }
}

export interface WebhookOptions {
  readonly webhook: Webhook;
  readonly reader: LedgerReader;
  readonly baseUrl: string;
  readonly instance: string;
  readonly log: Logger;
  readonly sent: ReturnType<Metrics['counter']>;
}

/** Sends from where it stopped; a new endpoint is told of what happens from now on. */
export async function startWebhook({ webhook, reader, baseUrl, instance, log, sent }: WebhookOptions): Promise<Relay> {
  const cursorName = `webhook-${webhook.name}`;
  if ((await reader.cursor(cursorName)) === undefined) {
    await reader.moveCursor(cursorName, (await reader.head()).position);
  }
  return startRelay({
    reader,
    cursorName,
    publish: async (events) => {
      const notices = events
        .map((event) => noticeOf(event, baseUrl, instance))
        .filter((notice) => notice !== undefined && isWanted(notice, webhook));
      if (notices.length === 0) return;
      await post(webhook, notices);
      sent.inc(notices.length);
    },
    onTrouble: (error) => {
      log.warn(
        { endpoint: webhook.name, reason: describeError(error) },
        'a webhook does not take its events; they wait',
      );
    },
  });
}

function isWanted({ action, target }: Notice, { ignoreActions, ignoreMediaTypes }: Webhook): boolean {
  return !ignoreActions.includes(action) && !ignoreMediaTypes.some((type) => type === target['mediaType']);
}

async function post({ url, headers, timeoutMs }: Webhook, events: readonly unknown[]): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': CONTENT_TYPE },
    body: JSON.stringify({ events }),
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.body?.cancel();
  // A redirect is not followed, so nobody there has taken them.
  if (!response.ok) throw new Error(`${url} answered ${String(response.status)}`);
}
