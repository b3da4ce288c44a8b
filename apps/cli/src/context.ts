/** What every command gets: where to write, whom to ask, which moment is meant. */
import { readFileSync } from 'node:fs';
import { createApiClient, type ApiAnswer, type ApiClient, type ApiTls } from '@brickyard/service-host/client';
import { z } from 'zod';
import { UsageError } from './exit-codes';
import { table } from './table';

/** The world outside of a command. */
export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `heketi` where the command was called as `heketi-cli`: its words, its exit codes. */
  readonly style?: 'heketi' | undefined;
  /** Shows what a running operation is at; absent where nobody looks. */
  readonly progress?: ((text: string) => void) | undefined;
  /** Until what comes back is called, whoever breaks the command off (Ctrl-C) is told this first. */
  readonly beforeInterrupt?: ((text: string) => () => void) | undefined;
  /** Columns of the terminal; undefined when the output is no terminal. */
  readonly width?: number | undefined;
  out(text: string): void;
  /** Problems and progress. */
  err(text: string): void;
}

export const GlobalOptions = z.object({
  server: z.string().optional(),
  user: z.string().optional(),
  secret: z.string().optional(),
  json: z.boolean().default(false),
  at: z.string().optional(),
  insecureTls: z.boolean().default(false),
  tlsCert: z.array(z.string()).default([]),
});
export type GlobalOptions = z.infer<typeof GlobalOptions>;

const User = z.enum(['admin', 'user']);
const POSITION = /^\d{1,15}$/;
const TIME = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?)?$/;

/** A position of the log as it is, or a time as RFC 3339 in UTC; a time without a zone is UTC. */
export function parseMoment(text: string): string {
  if (POSITION.test(text)) return text;
  if (!TIME.test(text))
    throw new UsageError(`neither a position nor a time: ${text}; write 1234 or 2026-01-31T03:12:00Z`);
  const hasZone = /([Zz]|[+-]\d\d:\d\d)$/.test(text);
  const moment = new Date(hasZone || text.length === 10 ? text : `${text.replace(' ', 'T')}Z`);
  if (Number.isNaN(moment.getTime())) throw new UsageError(`not a time: ${text}`);
  return moment.toISOString();
}

/** What a command has to say. */
export interface Said {
  /** With `--json`: the data itself. */
  readonly data: unknown;
  /** What people read. */
  readonly lines: () => readonly string[];
  /** heketi-cli's own text, which scripts read. */
  readonly heketi: () => string;
  /** Whether heketi-cli prints that text with `--json`, too. */
  readonly isTextOnly?: boolean;
}

/** One run of the command. */
export class Context {
  private known: ApiClient | undefined;

  constructor(
    readonly outside: Outside,
    readonly options: GlobalOptions,
  ) {}

  /** The API; refuses as a usage error when nobody said where it is. */
  get api(): ApiClient {
    return (this.known ??= createApiClient({
      ...apiOptions(this.options, this.outside.env, this.isHeketi ? HEKETI_SERVER : undefined),
      tls: tlsOf(this.options),
      ...(this.isHeketi ? {} : { pollMs: POLL_MS }),
    }));
  }

  /** Gets what a path shows, at the moment asked for, as its schema says. */
  async get<T>(path: string, schema: z.ZodType<T>, at: string | undefined = this.at): Promise<T> {
    return parseAnswer(schema, await this.answer(path, at));
  }

  /** The same as the API says it. */
  answer(path: string, at: string | undefined = this.at): Promise<ApiAnswer> {
    if (at === undefined) return this.api.get(path);
    return this.api.get(`${path}${path.includes('?') ? '&' : '?'}at=${encodeURIComponent(at)}`);
  }

  /** The moment asked for. */
  get at(): string | undefined {
    return this.options.at === undefined ? undefined : parseMoment(this.options.at);
  }

  /** For commands that change something: the past cannot be. */
  refuseAt(): void {
    if (this.options.at !== undefined) throw new UsageError('--at looks into the past; nothing can be changed there');
  }

  /** Prints the data itself with `--json`, else what people read. */
  print(data: unknown, lines: () => readonly string[]): void {
    this.outside.out(
      this.options.json
        ? `${JSON.stringify(data, undefined, 2)}\n`
        : lines()
            .map((line) => `${line}\n`)
            .join(''),
    );
  }

  /** Says it in the words of the command that was called. */
  tell({ data, lines, heketi, isTextOnly = false }: Said): void {
    if (this.outside.style !== 'heketi') this.print(data, lines);
    else this.outside.out(this.options.json && !isTextOnly ? JSON.stringify(data) : heketi());
  }

  /** Says that something is done; heketi-cli has a sentence for it, or nothing at all. */
  confirm(data: unknown, line: string, heketi = `${line}\n`): void {
    if (this.outside.style === 'heketi') this.outside.out(heketi);
    else this.print(data, () => [line]);
  }

  /** Whether the command speaks as heketi-cli does. */
  get isHeketi(): boolean {
    return this.outside.style === 'heketi';
  }

  table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
    return table(heads, rows, this.outside.width);
  }

  close(): void {
    this.known?.close();
  }
}

/** The value an answer must have; an answer of another shape is a defect of one of the two sides. */
export function parseAnswer<T>(schema: z.ZodType<T>, { body }: ApiAnswer): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`the server's answer is not understood: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** Between two looks at a change that runs; heketi-cli's own pace is four times slower. */
const POLL_MS = 100;

/** Where heketi-cli looks when nobody tells it. */
const HEKETI_SERVER = 'http://localhost:8080';

const tlsOf = ({ insecureTls, tlsCert }: GlobalOptions): ApiTls => ({
  insecure: insecureTls,
  ca: tlsCert.map((file) => readFileSync(file, 'utf8')),
});

/** Flags win over `BRICKYARD_…`, and that over `HEKETI_CLI_…`. */
export function apiOptions(
  { server, user, secret }: Pick<GlobalOptions, 'server' | 'user' | 'secret'>,
  env: Outside['env'],
  fallback?: string,
): { readonly url: string; readonly user: 'admin' | 'user'; readonly key: string | undefined } {
  const from = (flag: string | undefined, name: string): string | undefined =>
    [flag, env[`BRICKYARD_${name}`], env[`HEKETI_CLI_${name}`]].find((value) => value !== undefined && value !== '');
  const url = from(server, 'SERVER') ?? fallback;
  if (url === undefined) throw new UsageError('no server: give --server URL or set BRICKYARD_SERVER');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new UsageError(`not a URL: ${url}`);
  const name = User.safeParse(from(user, 'USER') ?? 'admin');
  if (!name.success) throw new UsageError('--user is admin or user', 'Invalid JWT token: Unknown user');
  return { url, user: name.data, key: from(secret, 'KEY') };
}
