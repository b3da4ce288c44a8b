import type { Logger } from '@brickyard/service-host';

/** heketi's levels, and ours. */
const LEVELS = { none: 'silent', critical: 'fatal', error: 'error', warning: 'warn', info: 'info', debug: 'debug' };
export type LogLevel = keyof typeof LEVELS;

const isLogLevel = (name: string): name is LogLevel => Object.hasOwn(LEVELS, name);

/** The level of a logger by heketi's name. */
export function levelOf({ level }: Logger): LogLevel {
  const found = Object.entries(LEVELS).find(([, ours]) => ours === level)?.[0];
  return found !== undefined && isLogLevel(found) ? found : 'debug';
}

/** Sets a logger's level; false for a word that is none. The empty word changes nothing. */
export function setLevel(log: Logger, name: string): boolean {
  if (name === '') return true;
  if (!isLogLevel(name)) return false;
  log.level = LEVELS[name];
  return true;
}
