/** How the command ends, for scripts. */
import { ApiError, isPassing, Unavailable } from '@brickyard/service-host/client';
import { Unavailable as LogUnavailable } from '@brickyard/event-sourcing';

/** `heketi` is what heketi-cli ends with whatever went wrong. */
export const EXIT = { fine: 0, refused: 1, usage: 2, unavailable: 3, heketi: 255 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES_HELP = `
Exit codes:
  0  done; nothing wrong was found
  1  no: refused by the server, the operation failed, or tampering or a difference was found
  2  the command line is not understood
  3  unavailable: the server or Postgres does not answer, or a file cannot be read

Environment (flags win):
  BRICKYARD_SERVER or HEKETI_CLI_SERVER   URL of the API
  BRICKYARD_USER   or HEKETI_CLI_USER     admin or user
  BRICKYARD_KEY    or HEKETI_CLI_KEY      that user's key
  BRICKYARD_PG_URL                        Postgres, for audit and diff`;

/** A command line that cannot be what was meant; `heketi` is what heketi-cli says of it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(
    message: string,
    readonly heketi = message,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const FILE_TROUBLE = new Set(['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'ENOSPC', 'EEXIST', 'EPERM', 'EROFS']);

/** The code of an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Unavailable || error instanceof LogUnavailable || isPassing(error)) return EXIT.unavailable;
  if (error instanceof ApiError) return EXIT.refused;
  if (isFileTrouble(error)) return EXIT.unavailable;
  return EXIT.refused;
}

/** A key file is known by its error's name: the class comes with all of Postgres, which most commands do not need. */
function isFileTrouble(error: unknown): boolean {
  const { name, code, cause } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return name === 'KeyFileError' || FILE_TROUBLE.has(String(code)) || (cause !== undefined && isFileTrouble(cause));
}
