/** Basic authentication, with rights by repository from the configuration file. */
import type { RepositoryName } from '@brickyard/contracts';
import { type ConfigFile, matchesPattern } from '../config-file';
import type { Exchange } from '../http/exchange';
import { OciError } from '../http/oci-error';
import type { Access, Action, Grant, Guard } from './guard';
import type { Htpasswd } from './htpasswd';

const ANONYMOUS = 'anonymous';

/** Asks for a password where the rules do not let everybody in. Without rules every user may do everything. */
export function passwordGuard(realm: string, htpasswd: Htpasswd, { access }: ConfigFile): Guard {
  const may = (user: string, name: string, action: Action): boolean => {
    if (access === undefined) return user !== ANONYMOUS;
    return access.some(
      ({ match, users, actions }) =>
        (users.includes(user) || users.includes(ANONYMOUS) || (user !== ANONYMOUS && users.includes('*'))) &&
        actions.some((one) => one === action) &&
        matchesPattern(name, match),
    );
  };
  const isPublic = access?.some(({ users }) => users.includes(ANONYMOUS)) === true;
  return {
    async admit(exchange: Exchange, wanted: Access | undefined): Promise<Grant> {
      const address = exchange.request.socket.remoteAddress ?? '';
      const given = credentialsIn(exchange.header('authorization'));
      if (given !== undefined && !(await htpasswd.verify(given.user, given.password))) throw challenge(realm);
      const user = given?.user ?? ANONYMOUS;
      const grant: Grant = {
        actor: { name: user, address },
        mayPull: (name: RepositoryName) => may(user, name, 'pull'),
      };
      if (given === undefined && (wanted === undefined ? !isPublic : false)) throw challenge(realm);
      if (wanted === undefined || isAllowed(wanted, (action) => may(user, wanted.name, action), given !== undefined)) {
        return grant;
      }
      if (given === undefined) throw challenge(realm);
      throw new OciError('DENIED', 'this user may not do that', { detail: wanted });
    },
  };
}

/** Everybody with a name may ask for the catalog; it shows what he may pull. */
function isAllowed({ type, actions }: Access, may: (action: Action) => boolean, isNamed: boolean): boolean {
  return type === 'registry' ? isNamed : actions.every(may);
}

function challenge(realm: string): OciError {
  const headers = { 'www-authenticate': `Basic realm="${realm.replace(/["\\]/g, '')}"` };
  return new OciError('UNAUTHORIZED', 'a user and a password are needed', { headers });
}

function credentialsIn(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const match = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(header ?? '');
  if (match === null) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 1 ? undefined : { user: text.slice(0, at), password: text.slice(at + 1) };
}
