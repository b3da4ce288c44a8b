/** Whose requests are taken, and what each may do in which buckets. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { S3Error } from '../s3-error';

const Credential = z.strictObject({
  accessKey: z.string().min(3).max(128),
  secretKey: z.string().min(8),
  /** `*` stands for any characters. */
  buckets: z.array(z.string().min(1)).default(['*']),
  access: z.enum(['read', 'write']).default('write'),
});
export type Credential = z.infer<typeof Credential>;

const KeysFile = z.strictObject({ keys: z.array(Credential).min(1) });

export class Credentials {
  readonly #byKey: ReadonlyMap<string, Credential>;

  constructor(credentials: readonly Credential[]) {
    this.#byKey = new Map(credentials.map((credential) => [credential.accessKey, credential]));
  }

  find(accessKey: string): Credential | undefined {
    return this.#byKey.get(accessKey);
  }
}

/** Reads a file of keys; throws with every problem in it, never with a secret. */
export function readKeysFile(file: string): readonly Credential[] {
  const parsed = KeysFile.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data.keys;
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
  throw new Error(`${file} is not usable:\n${problems.join('\n')}`);
}

const READING = new Set(['GET', 'HEAD']);

/** Throws unless the key may do this with the bucket. */
export function admit(credential: Credential, method: string, bucket: string): void {
  const isAllowed = credential.access === 'write' || READING.has(method);
  if (isAllowed && maySee(credential, bucket)) return;
  throw new S3Error('AccessDenied', 'This access key may not do that here.');
}

export const maySee = ({ buckets }: Credential, bucket: string): boolean =>
  buckets.some((pattern) => matches(bucket, pattern));

function matches(text: string, pattern: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(text);
}
