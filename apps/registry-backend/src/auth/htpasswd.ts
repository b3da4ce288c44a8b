/** A file of users with bcrypt passwords, read again when it changes. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { describeError, type Logger } from '@brickyard/service-host';
import { compare, hashSync } from 'bcryptjs';

const LOOK_MS = 1_000;
const REMEMBER_MS = 5 * 60_000;
const REMEMBERED_MAX = 10_000;
/** Passwords longer than bcrypt looks at would be equal when their beginnings are. */
const PASSWORD_BYTES_MAX = 72;
const CHECKS_AT_ONCE = 8;

export interface Htpasswd {
  /** Whether a user has this password; takes as long for a user that does not exist. */
  verify(user: string, password: string): Promise<boolean>;
}

/** Opens the file; a file that cannot be read lets nobody in. */
export function openHtpasswd(file: string, log: Logger): Htpasswd {
  return new HtpasswdFile(file, log);
}

class HtpasswdFile implements Htpasswd {
  #users: ReadonlyMap<string, string> = new Map();
  #version = '';
  #lookedAt = -Infinity;
  #looking: Promise<void> = Promise.resolve();
  readonly #salt = randomBytes(32);
  readonly #remembered = new Map<string, { readonly proof: Buffer; readonly until: number }>();
  readonly #decoy = hashSync(randomBytes(16).toString('hex'), 8);
  #checks = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly file: string,
    private readonly log: Logger,
  ) {}

  async verify(user: string, password: string): Promise<boolean> {
    await this.#refresh();
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) return false;
    const proof = createHmac('sha256', this.#salt).update(`${user}\0${password}`).digest();
    const known = this.#remembered.get(user);
    if (known !== undefined && known.until > performance.now() && timingSafeEqual(known.proof, proof)) return true;
    const hash = this.#users.get(user);
    const isRight = await this.#inTurn(() => compare(password, hash ?? this.#decoy));
    if (hash === undefined || !isRight) return false;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(user, { proof, until: performance.now() + REMEMBER_MS });
    return true;
  }

  /** Whoever comes while the file is looked at waits for that: he may be in it. */
  #refresh(): Promise<void> {
    if (performance.now() - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = performance.now();
      this.#looking = this.#look();
    }
    return this.#looking;
  }

  async #look(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.file);
      const version = `${String(mtimeMs)}/${String(size)}/${String(ino)}`;
      if (version === this.#version) return;
      this.#users = usersIn(await readFile(this.file, 'utf8'));
      this.#version = version;
      this.#remembered.clear();
      this.log.info({ users: this.#users.size }, 'users read');
    } catch (error) {
      this.#users = new Map();
      this.#remembered.clear();
      this.#version = '';
      this.log.error(
        { file: this.file, reason: describeError(error) },
        'the file of users cannot be read: nobody is let in',
      );
    }
  }

  /** A flood of wrong passwords must not take all of the processor. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#checks >= CHECKS_AT_ONCE) await new Promise<void>((done) => this.#waiting.push(done));
    else this.#checks += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#checks -= 1;
      else next();
    }
  }
}

/** Entries that are not of bcrypt are left out, as registries do. */
function usersIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      const [user, hash] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
      return at > 0 && /^\$2[aby]\$\d\d\$/.test(hash) ? [[user, hash] as const] : [];
    }),
  );
}
