/** Names of the registry's things, by the grammar of the OCI distribution specification. */
import { z } from 'zod';

/** Clients cap `host:port/name` at this many characters. */
export const REPOSITORY_NAME_MAX = 255;

/** One or more components of lower-case letters and digits, with single `.`, `_`, `__` or any run of `-` between. */
export const RepositoryName = z
  .string()
  .max(REPOSITORY_NAME_MAX)
  .regex(
    /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/,
    'must be path components of lower-case letters, digits and separators',
  )
  .brand('RepositoryName');
export type RepositoryName = z.infer<typeof RepositoryName>;

/** What a manifest is called within its repository. */
export const Tag = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    'must be 1 to 128 letters, digits, `_`, `.` and `-`, beginning with neither `.` nor `-`',
  )
  .brand('Tag');
export type Tag = z.infer<typeof Tag>;

/** `algorithm:hex` of the exact bytes. */
export const Digest = z
  .string()
  .regex(
    /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/,
    'must be sha256 or sha512 with lower-case hexadecimal digits',
  )
  .brand('Digest');
export type Digest = z.infer<typeof Digest>;

/** The hashes that content may be named by. */
export const DigestAlgorithm = z.enum(['sha256', 'sha512']);
export type DigestAlgorithm = z.infer<typeof DigestAlgorithm>;

/** Names one upload session. */
export const UploadId = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'must be a UUID')
  .brand('UploadId');
export type UploadId = z.infer<typeof UploadId>;

/** Name of a file on the registry's volume, below its folder: never used twice for different bytes. */
export const ContentFile = z
  .string()
  .max(255)
  .regex(/^[0-9a-z][0-9a-z./-]*$/, 'must be a relative path of lower-case letters and digits')
  .refine((path) => !path.includes('..'), 'must not lead upwards')
  .brand('ContentFile');
export type ContentFile = z.infer<typeof ContentFile>;
