/** What the bytes of a manifest say; the bytes themselves stay as they came. */
import { createHash } from 'node:crypto';
import { Digest, type DigestAlgorithm, MANIFEST_REFERENCES_MAX } from '@brickyard/contracts';
import { z } from 'zod';
import { OciError } from './oci-error';

export const OCI_IMAGE = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI_ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
/** All that are served here. */
export const MANIFEST_TYPES = [OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE, DOCKER_LIST, OCI_ARTIFACT] as const;
const IMAGES = new Set([OCI_IMAGE, DOCKER_IMAGE]);
const INDEXES = new Set([OCI_INDEX, DOCKER_LIST]);
const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1+';
/** Layers that their owners do not allow to be spread: they are fetched from elsewhere. */
const FOREIGN = /nondistributable|foreign/;

const Descriptor = z.looseObject({
  mediaType: z.string().default(''),
  digest: Digest,
  size: z.number().int().min(0).optional(),
  urls: z.array(z.string()).optional(),
});
type Descriptor = z.infer<typeof Descriptor>;

const Shape = z.looseObject({
  schemaVersion: z.literal(2).optional(),
  mediaType: z.string().optional(),
  artifactType: z.string().max(255).optional(),
  config: Descriptor.optional(),
  layers: z.array(Descriptor).nullish(),
  manifests: z.array(Descriptor).nullish(),
  blobs: z.array(Descriptor).nullish(),
  subject: Descriptor.nullish(),
});
type Shape = z.infer<typeof Shape>;

/** A manifest as far as the registry must understand it. */
export interface ManifestShape {
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly subject: Digest | undefined;
  /** Everything that must be kept as long as the manifest is. */
  readonly references: readonly Digest[];
  /** Blobs that must be there before it. */
  readonly blobs: readonly Digest[];
  /** Manifests that must be there before it. */
  readonly manifests: readonly Digest[];
}

/** The type without its parameters. */
const essence = (contentType: string | undefined): string => (contentType ?? '').split(';')[0]?.trim() ?? '';

/** Reads a manifest; throws what its sender must be told. */
export function readManifest(bytes: Buffer, contentType: string | undefined): ManifestShape {
  const shape = parse(bytes);
  const given = essence(contentType);
  if (shape.mediaType !== undefined && given !== '' && given !== shape.mediaType) {
    throw invalid(`Content-Type says ${given}, the manifest says ${shape.mediaType}`);
  }
  const mediaType = given !== '' ? given : (shape.mediaType ?? sniffed(shape));
  if (mediaType.startsWith(SCHEMA_1)) throw invalid('manifests of schema 1 are not taken; push with a current client');
  const isIndex = INDEXES.has(mediaType);
  if (!isIndex && !IMAGES.has(mediaType) && mediaType !== OCI_ARTIFACT) {
    throw invalid(`${mediaType === '' ? 'a manifest without a type' : mediaType} is not a kind of manifest known here`);
  }
  if (shape.schemaVersion === undefined && mediaType !== OCI_ARTIFACT) throw invalid('schemaVersion must be 2');
  if (IMAGES.has(mediaType) && shape.config === undefined) throw invalid('config: an image has a config');
  return shapeOf(shape, mediaType, isIndex);
}

function shapeOf(shape: Shape, mediaType: string, isIndex: boolean): ManifestShape {
  const needed = isIndex ? [] : [...(shape.config === undefined ? [] : [shape.config]), ...blobsOf(shape)];
  const entries = isIndex ? (shape.manifests ?? []) : [];
  const references = [...new Set([...needed, ...entries].map(({ digest }) => digest))];
  if (references.length > MANIFEST_REFERENCES_MAX) {
    throw invalid(`it names ${String(references.length)} things; ${String(MANIFEST_REFERENCES_MAX)} is the most`);
  }
  const configType = isIndex || shape.config?.mediaType === '' ? undefined : shape.config?.mediaType;
  const artifactType = shape.artifactType === undefined || shape.artifactType === '' ? configType : shape.artifactType;
  return {
    mediaType,
    artifactType,
    subject: shape.subject?.digest,
    references,
    blobs: needed.filter((descriptor) => !isElsewhere(descriptor)).map(({ digest }) => digest),
    manifests: entries.filter((descriptor) => !isElsewhere(descriptor)).map(({ digest }) => digest),
  };
}

const blobsOf = ({ layers, blobs }: Shape): readonly Descriptor[] => [...(layers ?? []), ...(blobs ?? [])];

const isElsewhere = ({ urls, mediaType }: Descriptor): boolean => (urls?.length ?? 0) > 0 || FOREIGN.test(mediaType);

function parse(bytes: Buffer): Shape {
  let value: unknown;
  try {
    // A byte order mark stays, and is refused: whoever pulls it could not read it.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new OciError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  const shape = Shape.safeParse(value);
  if (shape.success) return shape.data;
  const [issue] = shape.error.issues;
  throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a manifest'}`.slice(0, 300));
}

function sniffed({ manifests, config, layers }: Shape): string {
  if (Array.isArray(manifests)) return OCI_INDEX;
  return config !== undefined || Array.isArray(layers) ? OCI_IMAGE : '';
}

const invalid = (message: string): OciError => new OciError('MANIFEST_INVALID', message);

/** The digest of bytes. */
export const digestOfBytes = (bytes: Buffer, algorithm: DigestAlgorithm): Digest =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;

export const algorithmOf = (digest: Digest): DigestAlgorithm => (digest.startsWith('sha512') ? 'sha512' : 'sha256');
