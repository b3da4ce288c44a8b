/** The guard that the settings ask for. */
import type { Logger } from '@brickyard/service-host';
import type { ConfigFile } from '../config-file';
import type { RegistrySettings } from '../settings';
import { type Guard, openGuard } from './guard';
import { openHtpasswd } from './htpasswd';
import { passwordGuard } from './password-guard';
import { readKeys, tokenGuard } from './token-guard';

/** Tokens win over passwords; with neither, everybody may do everything, which is said. */
export async function guardFrom(settings: RegistrySettings, config: ConfigFile, log: Logger): Promise<Guard> {
  const { tokens, htpasswd } = settings;
  if (tokens !== undefined) return tokenGuard(tokens, await readKeys(tokens.keysFile));
  if (htpasswd !== undefined) return passwordGuard(htpasswd.realm, openHtpasswd(htpasswd.file, log), config);
  if (config.access !== undefined) throw new Error('"access" in the configuration needs BRICKYARD_REGISTRY_HTPASSWD');
  log.warn('nobody is asked who he is: everybody who reaches this registry may push and delete');
  return openGuard;
}
