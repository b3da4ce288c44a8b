/** Specs that start our programs as processes run what is compiled: it must be that of the sources. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Compiles what has changed, before any spec runs: none may do so itself, since others begin to load what it writes. */
// eslint-disable-next-line no-restricted-syntax -- Jest calls the default export of a globalSetup file
export default function compile(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(__dirname, '../../..'), stdio: 'inherit' });
}
