import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of the repository: these sources, and what is compiled of them, lie at different depths of it. */
export const REPOSITORY = holderOf('package-lock.json', __dirname);

function holderOf(name: string, folder: string): string {
  return existsSync(join(folder, name)) ? folder : holderOf(name, dirname(folder));
}
