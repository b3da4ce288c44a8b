/**
 * Runs the brick contract on a real block device without a test runner, as in a small virtual machine:
 * `BRICKYARD_LVM_TEST_DEVICE=/dev/vdb node dist/drivers/lvm/lvm-contract.main.js`. Prints TAP; all content of the device is lost.
 */
import { brickDriverCases } from '../brick.driver.contract';
import { lvmSubject } from './lvm-subject';

async function main(deviceName: string): Promise<number> {
  let failures = 0;
  console.log(`1..${String(brickDriverCases.length)}`);
  for (const [index, { name, run }] of brickDriverCases.entries()) {
    const subject = lvmSubject(deviceName);
    const startedAt = Date.now();
    const verdict = await run(subject)
      .then(() => undefined)
      .finally(() => subject.close())
      .catch((error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)));
    const took = `# ${String(Date.now() - startedAt)} ms`;
    console.log(`${verdict === undefined ? 'ok' : 'not ok'} ${String(index + 1)} - ${name} ${took}`);
    if (verdict === undefined) continue;
    failures += 1;
    console.log(verdict.replace(/^/gm, '  # '));
  }
  return failures === 0 ? 0 : 1;
}

const device = process.env['BRICKYARD_LVM_TEST_DEVICE'] ?? '';
if (device === '') {
  console.error('BRICKYARD_LVM_TEST_DEVICE: not set; it names a block device whose content may be destroyed');
  process.exitCode = 2;
} else {
  void main(device).then((code) => {
    process.exitCode = code;
  });
}
