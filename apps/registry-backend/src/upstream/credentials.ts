/** The user and password for another registry, from a file that may be replaced at any time. */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';

/** Who asks. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const Plain = z.object({ username: z.string().min(1), password: z.string().min(1) });
/** What `docker login` writes and Kubernetes keeps as a secret of type dockerconfigjson. */
const DockerConfig = z.object({
  auths: z.record(
    z.string(),
    z.object({ auth: z.string().optional(), username: z.string().optional(), password: z.string().optional() }),
  ),
});

/** Reads the file now, and again whenever it has changed; throws, naming the file and nothing of what is in it. */
export function openCredentials(file: string, host: string): () => Credentials {
  let readAt = '';
  let held: Credentials | undefined;
  const read = (): Credentials => {
    const { mtimeMs, size, ino } = statSync(file);
    const stamp = [mtimeMs, size, ino].join(' ');
    if (held !== undefined && stamp === readAt) return held;
    held = credentialsIn(readFileSync(file, 'utf8'), host, file);
    readAt = stamp;
    return held;
  };
  read();
  return read;
}

function credentialsIn(text: string, host: string, file: string): Credentials {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${file} is not JSON`); // The parser's message would quote the file.
  }
  const plain = Plain.safeParse(value);
  if (plain.success) return { user: plain.data.username, password: plain.data.password };
  const config = DockerConfig.safeParse(value);
  const entry = config.success
    ? Object.entries(config.data.auths).find(([name]) => hostOf(name) === host)?.[1]
    : undefined;
  const [user, password] =
    entry?.auth === undefined
      ? [entry?.username, entry?.password]
      : pairIn(Buffer.from(entry.auth, 'base64').toString());
  if (user !== undefined && password !== undefined && user !== '') return { user, password };
  throw new Error(`${file} has neither "username" and "password" nor an entry for ${host} in "auths"`);
}

/** `docker login` writes the URL of an API for Docker Hub, and host and port for all others. */
function hostOf(name: string): string {
  const host = name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' ? 'registry-1.docker.io' : host;
}

function pairIn(text: string): [string | undefined, string | undefined] {
  const at = text.indexOf(':');
  return at < 1 ? [undefined, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
