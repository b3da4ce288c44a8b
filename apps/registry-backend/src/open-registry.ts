/** Puts the parts of a registry together, all but its HTTP server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger, Metrics } from '@brickyard/service-host';
import type { AccessLog } from '@brickyard/volume-storage';
import { openGuard, type Guard } from './auth/guard';
import type { ContentStore } from './bytes/content-store';
import { LiveUploads } from './bytes/live-uploads';
import { ManifestCache } from './bytes/manifest-cache';
import { type ConfigFile, rulesFrom } from './config-file';
import type { RegistryFacts } from './facts/registry-facts';
import { createHandler, type Watcher } from './http/handler';
import type { PastFacts } from './history/past-facts';
import type { ProtocolSettings, Registry } from './registry';
import { watchRequests } from './request-watcher';
import { Upstreams } from './upstream/upstreams';

const MANIFESTS_BYTES = 32 * 1024 * 1024;

export interface RegistryParts {
  readonly facts: RegistryFacts;
  readonly store: () => ContentStore;
  /** Differs between replicas and between runs of one. */
  readonly replica: string;
  readonly config: ConfigFile;
  readonly settings: ProtocolSettings;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly graceMs: number;
  readonly guard?: Guard;
  readonly past: PastFacts;
  readonly suspect: (digest: string, finding: string) => void;
}

export interface OpenRegistry {
  readonly registry: Registry;
  readonly watcher: Watcher;
  readonly handle: (request: IncomingMessage, response: ServerResponse, isContinueExpected?: boolean) => void;
}

/** The protocol over given facts and bytes. */
export function openRegistry(parts: RegistryParts): OpenRegistry {
  const { facts, past, store, config, settings, log, metrics, accessLog, graceMs, suspect, guard = openGuard } = parts;
  const registry: Registry = {
    facts,
    past,
    store,
    manifests: new ManifestCache(MANIFESTS_BYTES),
    uploads: new LiveUploads(),
    upstreams: new Upstreams(config.upstreams, parts.replica, metrics, log),
    rulesOf: (name, tags) => rulesFrom(config, name, tags),
    settings,
    log,
    keepYoungMs: graceMs / 2,
    suspect,
  };
  const watcher = watchRequests(log, metrics, accessLog);
  return { registry, watcher, handle: createHandler(registry, guard, watcher) };
}
