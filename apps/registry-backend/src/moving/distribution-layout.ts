/** The data folder of the open-source registry: taken over and given back, by hard links where both lie on one volume. */
import { copyFile, link, mkdir, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ContentFile, Digest, type RegistryCommand, RepositoryName, Tag } from '@brickyard/contracts';
import { describeError, type Logger } from '@brickyard/service-host';
import type { ContentStore } from '../bytes/content-store';
import type { Origin, RegistryFacts } from '../facts/registry-facts';
import { algorithmOf, digestOfBytes, readManifest } from '../http/manifest-shape';
import { OciError } from '../http/oci-error';
import { accepted } from '../registry';

const V2 = 'docker/registry/v2';
const RULES = { isSparse: true };

/** What came of moving. */
export interface Moved {
  repositories: number;
  blobs: number;
  manifests: number;
  tags: number;
  /** Files that could only be copied, not linked. */
  copied: number;
  readonly problems: string[];
}

const nothing = (): Moved => ({ repositories: 0, blobs: 0, manifests: 0, tags: 0, copied: 0, problems: [] });

export interface Moving {
  readonly store: ContentStore;
  readonly facts: RegistryFacts;
  readonly log: Logger;
}

/** Takes over every repository below a folder; what is here already stays, what is broken is told and left out. */
export async function importLayout({ store, facts, log }: Moving, folder: string, origin: Origin): Promise<Moved> {
  const root = join(folder, V2);
  const moved = nothing();
  for await (const name of repositoriesBelow(join(root, 'repositories'), '')) {
    await new RepositoryImport({ store, facts, log }, root, name, origin, moved).run();
    moved.repositories += 1;
  }
  log.info({ ...moved }, 'imported');
  return moved;
}

/** Every folder that has what a repository has; names nest. */
async function* repositoriesBelow(folder: string, name: string): AsyncGenerator<RepositoryName> {
  const entries = await namesIn(join(folder, name));
  if (entries.includes('_manifests') || entries.includes('_layers')) {
    const parsed = RepositoryName.safeParse(name);
    if (parsed.success) yield parsed.data;
  }
  for (const entry of entries.filter((one) => !one.startsWith('_'))) {
    yield* repositoriesBelow(folder, name === '' ? entry : `${name}/${entry}`);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true })).filter((one) => one.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

class RepositoryImport {
  constructor(
    private readonly moving: Moving,
    private readonly root: string,
    private readonly name: RepositoryName,
    private readonly origin: Origin,
    private readonly moved: Moved,
  ) {}

  async run(): Promise<void> {
    const folder = join(this.root, 'repositories', this.name);
    for (const digest of await this.links(join(folder, '_layers'))) await this.tell(digest, () => this.layer(digest));
    const manifests = await this.links(join(folder, '_manifests/revisions'));
    // An index comes after what it names; whatever order they lie in, indexes may name what is still to come.
    for (const digest of manifests) await this.tell(digest, () => this.manifest(digest));
    for (const tag of await namesIn(join(folder, '_manifests/tags'))) await this.tell(tag, () => this.tag(folder, tag));
  }

  /** Digests that links name: their text counts, not their place. */
  private async links(folder: string): Promise<readonly Digest[]> {
    const digests = new Set<Digest>();
    for (const algorithm of await namesIn(folder)) {
      for (const hex of await namesIn(join(folder, algorithm))) {
        const text = await readFile(join(folder, algorithm, hex, 'link'), 'utf8').catch(() => '');
        const digest = Digest.safeParse(text.trim());
        if (digest.success) digests.add(digest.data);
      }
    }
    return [...digests].sort();
  }

  private async tell(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.moved.problems.push(`${this.name}: ${what}: ${describeError(error)}`);
    }
  }

  private dataOf(digest: Digest): string {
    const [algorithm = '', hex = ''] = digest.split(':');
    return join(this.root, 'blobs', algorithm, hex.slice(0, 2), hex, 'data');
  }

  /** The bytes under a name of ours: the one they have already, else a new one. */
  private async adopt(
    digest: Digest,
  ): Promise<{ readonly file: ContentFile; readonly size: number; readonly isPresent: boolean }> {
    const { store, facts } = this.moving;
    const known = facts.current.state.blobs.get(digest);
    if (known !== undefined && known.finding === undefined) return { ...known, isPresent: true };
    const source = this.dataOf(digest);
    const { size } = await stat(source);
    const part = await store.begin('imported');
    await part.close();
    await store.remove(part.file);
    const isLinked = await link(source, store.pathOf(part.file)).then(
      () => true,
      () => false, // Another file system.
    );
    if (!isLinked) {
      await copyFile(source, store.pathOf(part.file));
      const handle = await open(store.pathOf(part.file), 'r+');
      await handle.sync().finally(() => handle.close());
      this.moved.copied += 1;
    }
    return { file: await store.publish(part.file, digest), size, isPresent: false };
  }

  private submit(command: RegistryCommand): Promise<unknown> {
    return this.moving.facts.submit(command, this.origin).then(accepted);
  }

  private async layer(digest: Digest): Promise<void> {
    const { file, size, isPresent } = await this.adopt(digest);
    await this.submit({ type: 'LinkBlob', repository: this.name, digest, size, file, isPresent, rules: RULES });
    this.moved.blobs += 1;
  }

  private async manifest(digest: Digest): Promise<void> {
    const bytes = await readFile(this.dataOf(digest));
    if (digestOfBytes(bytes, algorithmOf(digest)) !== digest)
      throw new OciError('DIGEST_INVALID', 'its bytes have another digest');
    const shape = readManifest(bytes, undefined);
    const { file, isPresent } = await this.adopt(digest);
    await this.submit({
      type: 'PushManifest',
      repository: this.name,
      digest,
      size: bytes.length,
      file,
      isPresent,
      mediaType: shape.mediaType,
      ...(shape.artifactType === undefined ? {} : { artifactType: shape.artifactType }),
      ...(shape.subject === undefined ? {} : { subject: shape.subject }),
      references: [...shape.references],
      blobs: [],
      manifests: [],
      tags: [],
      rules: RULES,
    });
    this.moved.manifests += 1;
  }

  private async tag(folder: string, text: string): Promise<void> {
    const tag = Tag.parse(text);
    const digest = Digest.parse((await readFile(join(folder, '_manifests/tags', text, 'current/link'), 'utf8')).trim());
    const { state } = this.moving.facts.current;
    const manifest = state.repositories.get(this.name)?.manifests.get(digest);
    const blob = state.blobs.get(digest);
    if (manifest === undefined || blob === undefined)
      throw new OciError('MANIFEST_UNKNOWN', 'it points to no manifest');
    await this.submit({
      type: 'PushManifest',
      repository: this.name,
      digest,
      size: manifest.size,
      file: blob.file,
      isPresent: true,
      mediaType: manifest.mediaType,
      references: [...manifest.references],
      blobs: [],
      manifests: [],
      tags: [tag],
      rules: RULES,
    });
    this.moved.tags += 1;
  }
}

/** Writes everything in the layout of the open-source registry into an empty folder. */
export async function exportLayout({ store, facts, log }: Moving, folder: string): Promise<Moved> {
  const root = join(folder, V2);
  const moved = nothing();
  const { state } = facts.current;
  const give = async (digest: Digest): Promise<void> => {
    const blob = state.blobs.get(digest);
    if (blob === undefined) throw new OciError('BLOB_UNKNOWN', `${digest} has no bytes`);
    const [algorithm = '', hex = ''] = digest.split(':');
    const target = join(root, 'blobs', algorithm, hex.slice(0, 2), hex, 'data');
    await mkdir(dirname(target), { recursive: true });
    await link(store.pathOf(blob.file), target).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      await copyFile(store.pathOf(blob.file), `${target}.new`);
      await rename(`${target}.new`, target);
      moved.copied += 1;
    });
  };
  for (const [name, { blobs, manifests, tags }] of state.repositories.entries()) {
    const place = join(root, 'repositories', name);
    moved.repositories += 1;
    for (const digest of blobs.keys()) {
      await give(digest);
      await writeLink(join(place, '_layers', pathOf(digest)), digest);
      moved.blobs += 1;
    }
    for (const digest of manifests.keys()) {
      await give(digest);
      await writeLink(join(place, '_manifests/revisions', pathOf(digest)), digest);
      moved.manifests += 1;
    }
    for (const [tag, { digest }] of tags.entries()) {
      await writeLink(join(place, '_manifests/tags', tag, 'index', pathOf(digest)), digest);
      await writeLink(join(place, '_manifests/tags', tag, 'current'), digest);
      moved.tags += 1;
    }
  }
  log.info({ ...moved, folder }, 'exported');
  return moved;
}

const pathOf = (digest: Digest): string => digest.replace(':', '/');

async function writeLink(folder: string, digest: Digest): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'link'), digest);
}
