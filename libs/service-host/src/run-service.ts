/** What the `main` of every service does around its work: ends with a text that helps, not with a stack nobody asked for. */
import { ConfigError } from './config';

/** Reads the settings; ends the process with 1 and every variable at fault on stderr when they are not usable. */
export function settingsOrExit<T>(
  read: (env: NodeJS.ProcessEnv) => T,
  textOf: (error: ConfigError) => string = ({ message }) => message,
): T {
  try {
    return read(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${textOf(error)}\n`);
    process.exit(1);
  }
}

/** Runs the service; what it cannot begin with ends the process with 1, the whole error on stderr. */
export function runService(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}
