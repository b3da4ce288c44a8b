/** What must be done behind the protocol: garbage, abandoned uploads, retention, files nobody knows, files gone bad. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ContentFile, Digest, RegistryCommand } from '@brickyard/contracts';
import { describeError, type Logger, type Metrics } from '@brickyard/service-host';
import type { ContentStore } from '../bytes/content-store';
import type { ConfigFile } from '../config-file';
import { garbageIn, type Blob } from '@brickyard/domain/registry';
import type { Origin, Outcome, RegistryFacts } from '../facts/registry-facts';
import { algorithmOf } from '../http/manifest-shape';
import { planRetention, type RetentionPlan } from './retention';

const BATCH = 500;
/** A file that the log does not name may belong to a push that is under way. */
const STRAY_MS_MIN = 24 * 3_600_000;
const READ_BYTES = 1024 * 1024;
/** A file that cannot be read may only be slow to show. */
const SECOND_LOOK_MS = 5_000;
const TICK_MS = 30_000;
const HOUR_MS = 3_600_000;

export interface UpkeepOptions {
  readonly facts: RegistryFacts;
  readonly store: () => ContentStore;
  readonly config: ConfigFile;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly graceMs: number;
  /** 0: only when asked. */
  readonly collectEveryMs: number;
  readonly uploadAgeMs: number;
  /** 0: nothing is read again. */
  readonly scrubBytesSecond: number;
}

/** What a collection takes, or would. */
export interface Collected {
  readonly links: number;
  readonly blobs: number;
  readonly bytes: number;
}

/** The background work of a replica; only the one that leads does it by itself. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #ending = new AbortController();
  readonly #counters;
  #timer: NodeJS.Timeout | undefined;
  #collectedAt = performance.now();
  #running: Promise<unknown> = Promise.resolve();
  #scrubbing: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#counters = {
      runs: metrics.counter({ name: 'gc_runs_total', help: 'Collections of garbage.' }),
      deleted: metrics.counter({ name: 'gc_deleted_total', help: 'Files removed by collections of garbage.' }),
      bad: metrics.counter({ name: 'registry_verification_failures_total', help: 'Blobs found missing or changed.' }),
      checked: metrics.counter({ name: 'registry_scrubbed_bytes_total', help: 'Bytes read again and checked.' }),
    };
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#tick();
    }, TICK_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#running.catch(() => undefined);
    await this.#scrubbing?.catch(() => undefined);
  }

  /** What a collection would take now. */
  preview(graceMs = this.#options.graceMs): Collected {
    const { links, blobs } = garbageIn(this.#options.facts.current.state, isoBefore(graceMs), Infinity);
    const bytes = [...links, ...blobs].reduce((sum, { size }) => sum + size, 0);
    return { links: links.length, blobs: blobs.length, bytes };
  }

  /** Collects garbage: links first, and the bytes that have been without a link for the time of grace. */
  collect(origin: Origin = own('garbage collector'), graceMs = this.#options.graceMs): Promise<Collected> {
    return this.#inTurn(async () => {
      const taken = this.preview(graceMs);
      this.#counters.runs.inc();
      for (;;) {
        const outcome = await this.#submit(
          { type: 'CollectGarbage', before: isoBefore(graceMs), blobsMax: BATCH },
          origin,
        );
        if (outcome.kind === 'rejected' || (outcome.count ?? 0) === 0) break;
      }
      await this.#removeDoomed(origin);
      if (taken.links + taken.blobs > 0) this.#options.log.info({ ...taken }, 'garbage collected');
      return taken;
    });
  }

  /** What the rules of retention let go. */
  previewRetention(): RetentionPlan {
    const { facts, config } = this.#options;
    return planRetention(facts.current.state, config, Date.now());
  }

  /** Applies the rules; what has changed since the plan was made stays. */
  applyRetention(origin: Origin = own('retention')): Promise<RetentionPlan> {
    return this.#inTurn(async () => {
      const plan = this.previewRetention();
      for (const { repository, tag, digest } of plan.tags) {
        await this.#submit({ type: 'DeleteTag', repository, tag, digest, cause: 'retention' }, origin);
      }
      for (const { repository, digest } of plan.manifests) {
        await this.#submit(
          { type: 'DeleteManifest', repository, digest, cause: 'retention', isOnlyLoose: true },
          origin,
        );
      }
      for (const { repository, digest } of plan.evicted) {
        await this.#submit({ type: 'DeleteManifest', repository, digest, cause: 'retention' }, origin);
      }
      return plan;
    });
  }

  /** Ends uploads that are too old and removes their bytes; returns how many. */
  purgeUploads(ageMs = this.#options.uploadAgeMs): Promise<number> {
    return this.#inTurn(async () => {
      const before = isoBefore(ageMs);
      let count = 0;
      for (const [uploadId, { openedAt, parts }] of [...this.#options.facts.current.state.uploads.entries()]) {
        if (openedAt >= before) continue;
        const outcome = await this.#submit({ type: 'EndUpload', uploadId, outcome: 'expired' }, own('upload purge'));
        if (outcome.kind === 'rejected') continue;
        count += 1;
        for (const { file } of parts) await this.#options.store().remove(file);
      }
      return count;
    });
  }

  /** Removes files that the log does not name and that are too old to belong to a push; returns their names. */
  sweepStrays(ageMs = Math.max(STRAY_MS_MIN, this.#options.graceMs)): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const store = this.#options.store();
      await store.confirm();
      const removed: string[] = [];
      for (const folder of await this.#foldersOf(store)) {
        for (const name of await readdir(store.pathOf(folder))) {
          const file = `${folder}/${name}` as ContentFile;
          if (await this.#isStray(store, file, ageMs)) {
            await store.remove(file);
            removed.push(file);
          }
        }
      }
      return removed;
    });
  }

  /** Reads blobs again and reports those that are not what they should be; returns their digests. */
  async scrub(bytesSecond = Infinity): Promise<readonly Digest[]> {
    const bad: Digest[] = [];
    for (const [digest, blob] of [...this.#options.facts.current.state.blobs.entries()]) {
      if (this.#ending.signal.aborted) break;
      if (blob.finding !== undefined) continue;
      const from = performance.now();
      if ((await this.check(digest)) !== undefined) bad.push(digest);
      this.#counters.checked.inc(blob.size);
      const owedMs = (blob.size / bytesSecond) * 1_000 - (performance.now() - from);
      if (owedMs > 1) await pause(owedMs, undefined, { signal: this.#ending.signal });
    }
    return bad;
  }

  /** Looks at one blob, twice when it seems bad; what is wrong with it goes into the log and is the answer. */
  async check(digest: Digest): Promise<string | undefined> {
    const blob = this.#options.facts.current.state.blobs.get(digest);
    if (blob === undefined || blob.finding !== undefined) return blob?.finding;
    const first = await this.#findingOf(digest, blob);
    if (first === undefined) return undefined;
    await pause(SECOND_LOOK_MS, undefined, { signal: this.#ending.signal });
    const finding = await this.#findingOf(digest, blob);
    if (finding === undefined) return undefined;
    this.#counters.bad.inc();
    this.#options.log.error(
      { digest, file: blob.file, finding },
      'a blob is bad: it is not served until it is pushed again',
    );
    await this.#submit({ type: 'ReportBadBlob', digest, file: blob.file, finding }, own('scrub'));
    return finding;
  }

  /** Trouble of the volume is no finding about a blob: it is thrown. */
  async #findingOf(digest: Digest, { file, size }: Blob): Promise<string | undefined> {
    const store = this.#options.store();
    const found = await store.sizeOf(file);
    if (found === undefined) return 'its file is not there';
    if (found !== size) return `its file has ${String(found)} bytes and not ${String(size)}`;
    const hash = createHash(algorithmOf(digest));
    const handle = await store.openForReading(file);
    try {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, size)));
      for (let at = 0; at < size;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) return 'its file ends early';
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await handle.close();
    }
    return `${algorithmOf(digest)}:${hash.digest('hex')}` === digest ? undefined : 'its bytes have another digest';
  }

  #tick(): void {
    const { facts, collectEveryMs, scrubBytesSecond, log } = this.#options;
    if (!facts.isLeader) return;
    if (collectEveryMs > 0 && performance.now() - this.#collectedAt > collectEveryMs) {
      this.#collectedAt = performance.now();
      this.#everything().catch((error: unknown) => {
        log.warn({ reason: describeError(error) }, 'upkeep stopped early; it is done again later');
      });
    }
    if (scrubBytesSecond === 0) return;
    this.#scrubbing ??= this.scrub(scrubBytesSecond)
      .then(() => pause(HOUR_MS, undefined, { signal: this.#ending.signal, ref: false }))
      .catch(() => undefined)
      .finally(() => (this.#scrubbing = undefined));
  }

  async #everything(): Promise<void> {
    await this.purgeUploads();
    await this.applyRetention();
    await this.collect();
    await this.sweepStrays();
  }

  async #removeDoomed(origin: Origin): Promise<void> {
    const store = this.#options.store();
    await store.confirm();
    const doomed = [...this.#options.facts.current.state.doomed.entries()];
    for (let from = 0; from < doomed.length; from += BATCH) {
      const removed: { file: ContentFile; digest: Digest }[] = [];
      for (const [file, digest] of doomed.slice(from, from + BATCH)) {
        await store.remove(file);
        removed.push({ file, digest });
      }
      this.#counters.deleted.inc(removed.length);
      await this.#submit({ type: 'ConfirmRemoval', removed }, origin);
    }
  }

  async #foldersOf(store: ContentStore): Promise<readonly string[]> {
    const folders = ['uploads'];
    for (const algorithm of ['blobs/sha256', 'blobs/sha512']) {
      for (const name of await readdir(store.pathOf(algorithm))) folders.push(`${algorithm}/${name}`);
    }
    return folders;
  }

  async #isStray(store: ContentStore, file: ContentFile, ageMs: number): Promise<boolean> {
    // Bytes may be old when they get the name that the log is about to speak of: that changes only the ctime.
    const { ctimeMs } = await stat(store.pathOf(file)).catch(() => ({ ctimeMs: Date.now() }));
    if (Date.now() - ctimeMs < ageMs) return false;
    const { state } = this.#options.facts.current; // After the look at the file: what is named meanwhile is young.
    if (state.doomed.has(file)) return false;
    const hex = file.split('/')[3]?.split('.')[0] ?? '';
    const digest = `${file.split('/')[1] ?? ''}:${hex}` as Digest;
    if (state.blobs.get(digest)?.file === file) return false;
    for (const { parts } of state.uploads.values()) if (parts.some((part) => part.file === file)) return false;
    return true;
  }

  #submit(command: RegistryCommand, origin: Origin): Promise<Outcome> {
    return this.#options.facts.submit(command, origin);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#running.then(work, work);
    this.#running = mine.catch(() => undefined);
    return mine;
  }
}

const isoBefore = (ageMs: number): string => new Date(Date.now() - ageMs).toISOString();
const own = (name: string): Origin => ({ actor: { name, role: 'registry' }, correlationId: name.replaceAll(' ', '-') });
