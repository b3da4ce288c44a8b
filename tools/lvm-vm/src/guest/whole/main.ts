/** Runs in the second virtual machine, a Debian with systemd: what needs the whole system on real LVM. */
import { say } from '../cases';
import { testClones } from './clone-cases';

async function main(): Promise<void> {
  const { passed, failed } = await testClones();
  say(`${String(passed)} passed, ${String(failed)} failed`);
}

main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
});
