import { running } from './jest-setup';

/** Stops and deletes what `jest-setup` started. */
export default async function teardown(): Promise<void> {
  await running.servers?.stop();
}
