/** The part of a nats-server configuration that says who may do what. */
import { type BusAccount, busUserOf, permissionsOf } from '@brickyard/contracts';

/** An account with its password. */
export interface BusLogin {
  readonly account: BusAccount;
  readonly password: string;
}

const quoted = (text: string): string => JSON.stringify(text);
const list = (subjects: readonly string[]): string => `[${subjects.map(quoted).join(', ')}]`;

/** An `authorization` block with one user for each login; whoever has no login is not let in. */
export function natsAuthorization(logins: readonly BusLogin[]): string {
  return ['authorization {', '  timeout: 5', '  users = [', ...logins.map(userEntry), '  ]', '}', ''].join('\n');
}

function userEntry({ account, password }: BusLogin): string {
  const { publish, neverPublish, subscribe, answers } = permissionsOf(account);
  const deny = neverPublish.length === 0 ? '' : `, deny: ${list(neverPublish)}`;
  return [
    `    { user: ${quoted(busUserOf(account))}, password: ${quoted(password)}, permissions: {`,
    `        publish: { allow: ${list(publish)}${deny} }`,
    `        subscribe: { allow: ${list(subscribe)} }`,
    ...(answers ? ['        allow_responses: { max: 1, expires: "1m" }'] : []),
    '    } }',
  ].join('\n');
}
