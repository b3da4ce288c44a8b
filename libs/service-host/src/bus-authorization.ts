/** The part of a nats-server configuration that says who may do what. */
import { type BusAccount, busUserOf, inboxOf, permissionsOf } from '@brickyard/contracts';

/** An account with its password. */
export interface BusLogin {
  readonly account: BusAccount;
  readonly password: string;
}

const quoted = (text: string): string => JSON.stringify(text);
const list = (subjects: readonly string[]): string => `[${subjects.map(quoted).join(', ')}]`;

/** An `authorization` block with one user for each login; whoever has no login is not let in. */
export function natsAuthorization(logins: readonly BusLogin[]): string {
  return [
    'authorization {',
    '  timeout: 5',
    '  users = [',
    ...logins.map((login) => userEntry(login, logins)),
    '  ]',
    '}',
    '',
  ].join('\n');
}

function userEntry({ account, password }: BusLogin, logins: readonly BusLogin[]): string {
  const { publish, neverPublish, subscribe, answersTo } = permissionsOf(account);
  const askers = logins.filter((login) => answersTo.includes(login.account.kind));
  const inboxes = askers.map((login) => `${inboxOf(busUserOf(login.account))}.>`);
  const deny = neverPublish.length === 0 ? '' : `, deny: ${list(neverPublish)}`;
  return [
    `    { user: ${quoted(busUserOf(account))}, password: ${quoted(password)}, permissions: {`,
    `        publish: { allow: ${list([...publish, ...inboxes])}${deny} }`,
    `        subscribe: { allow: ${list(subscribe)} }`,
    '    } }',
  ].join('\n');
}
