import { running } from './jest-setup';

/** Stops and deletes what `jest-setup` started. */
// eslint-disable-next-line no-restricted-syntax -- Jest calls the default export of a globalTeardown file
export default async function teardown(): Promise<void> {
  await running.servers?.stop();
}
