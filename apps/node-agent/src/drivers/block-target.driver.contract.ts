/** What every driver of block targets must do, as plain cases: each gets a subject of its own, with one hosting volume. */
import assert from 'node:assert/strict';
import {
  type BlockFile,
  type BlockTarget,
  BlockVolumeId,
  type GlusterVolumeRef,
  kib,
  type Outcome,
} from '@brickyard/contracts';
import type { BlockTargetDriver } from './block-target.driver';

/** A driver under test. */
export interface BlockTargetSubject {
  readonly driver: BlockTargetDriver;
  /** The same host's driver as a new process would have it. */
  restarted(): Promise<BlockTargetDriver>;
  readonly hosting: GlusterVolumeRef;
  /** The daemon dies, and with it everything that is offered; absent where there is none. */
  kill?(): Promise<void>;
  /** The size that initiators see, KiB; absent where nobody can look. */
  sizeSeen?(target: BlockTarget): Promise<number>;
  close(): Promise<void>;
}

/** One thing that must hold. */
export interface BlockTargetCase {
  readonly name: string;
  /** Runs only on subjects that can do this. */
  readonly needs?: 'kill' | 'sizeSeen';
  readonly run: (subject: BlockTargetSubject) => Promise<void>;
}

const GIB_KIB = 1024 * 1024;
export const SECRET = 'twelve-or-more';
export const blockId = (digit: string): BlockVolumeId => BlockVolumeId.parse(digit.repeat(32));
export const iqn = (digit: string): string => `iqn.2026-01.org.brickyard:${blockId(digit)}`;

const file = ({ hosting }: BlockTargetSubject, digit = '1', gib = 1): BlockFile => ({
  blockVolumeId: blockId(digit),
  hosting,
  sizeKib: kib(gib * GIB_KIB),
});

/** A target of the subject's hosting volume. */
export const target = (subject: BlockTargetSubject, digit = '1', gib = 1): BlockTarget => ({
  ...file(subject, digit, gib),
  iqn: iqn(digit),
  lun: 1,
});

/** The same, for initiators that know a secret. */
export const guarded = (subject: BlockTargetSubject, digit = '1', keyId = 'a'.repeat(16)): BlockTarget => ({
  ...target(subject, digit),
  chap: { username: blockId(digit), keyId },
});

export function succeeded(outcome: Outcome): Extract<Outcome, { ok: true }>['result'] {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.detail} (${outcome.failure.cause})`);
  return outcome.result;
}

function refused(outcome: Outcome, reason: RegExp): void {
  assert.ok(!outcome.ok, 'the driver did what it must refuse');
  assert.match(outcome.failure.detail, reason);
  assert.equal(outcome.failure.transient, false);
}

async function isThere(asked: Promise<Outcome>): Promise<boolean> {
  const result = succeeded(await asked);
  assert.ok(result.kind === 'presence');
  return result.present;
}

export const blockTargetCases: readonly BlockTargetCase[] = [
  {
    name: 'makes a file once, lets it grow, never cuts it, and removes it once',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      const { driver } = subject;
      assert.equal(await isThere(driver.readFile(file(subject))), false);
      succeeded(await driver.ensureFile(file(subject)));
      succeeded(await driver.ensureFile(file(subject)));
      assert.equal(await isThere(driver.readFile(file(subject))), true);
      assert.equal(await isThere(driver.readFile(file(subject, '1', 2))), false);
      succeeded(await driver.ensureGrown(file(subject, '1', 2)));
      succeeded(await driver.ensureFile(file(subject)));
      assert.equal(await isThere((await subject.restarted()).readFile(file(subject, '1', 2))), true);
      succeeded(await driver.ensureNoFile(file(subject)));
      succeeded(await driver.ensureNoFile(file(subject)));
      assert.equal(await isThere(driver.readFile(file(subject))), false);
    },
  },
  {
    name: 'lets no file grow that is not there',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      refused(await subject.driver.ensureGrown(file(subject)), /has no file on hosting volume/);
      assert.equal(await isThere(subject.driver.readFile(file(subject))), false);
    },
  },
  {
    name: 'offers a file once, and takes it back once',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      const { driver } = subject;
      succeeded(await driver.ensureFile(file(subject)));
      assert.equal(await isThere(driver.readTarget(target(subject))), false);
      succeeded(await driver.ensureExported(target(subject), undefined));
      succeeded(await driver.ensureExported(target(subject), undefined));
      assert.equal(await isThere(driver.readTarget(target(subject))), true);
      const again = await subject.restarted();
      assert.equal(await isThere(again.readTarget(target(subject))), true);
      assert.deepEqual(await again.ensureServing(), [{ blockVolumeId: blockId('1'), isOffered: true }]);
      succeeded(await again.ensureExported(target(subject), undefined));
      succeeded(await again.ensureNotExported(target(subject)));
      succeeded(await again.ensureNotExported(target(subject)));
      assert.equal(await isThere(again.readTarget(target(subject))), false);
      assert.deepEqual(await again.ensureServing(), []);
      assert.equal(await isThere(again.readFile(file(subject))), true, 'the file went with the target');
    },
  },
  {
    name: 'offers no file that is not there, and remembers none',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      refused(await subject.driver.ensureExported(target(subject), undefined), /has no file on hosting volume/);
      assert.deepEqual(await subject.driver.ensureServing(), []);
    },
  },
  {
    name: 'refuses a target that asks for a secret it was never told, and remembers one that it was',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      const { driver } = subject;
      succeeded(await driver.ensureFile(file(subject)));
      refused(await driver.ensureExported(guarded(subject), undefined), /secret/);
      succeeded(await driver.ensureExported(guarded(subject), SECRET));
      succeeded(await driver.ensureExported(guarded(subject), undefined));
      succeeded(await (await subject.restarted()).ensureExported(guarded(subject), undefined));
      refused(await driver.ensureExported(guarded(subject, '1', 'b'.repeat(16)), undefined), /secret/);
      assert.equal(await isThere(driver.readTarget(guarded(subject))), true);
      succeeded(await driver.ensureNotExported(guarded(subject)));
    },
  },
  {
    name: 'offers everything again after its daemon has died',
    needs: 'kill',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      const { driver } = subject;
      for (const digit of ['1', '2']) succeeded(await driver.ensureFile(file(subject, digit)));
      succeeded(await driver.ensureExported(guarded(subject), SECRET));
      succeeded(await driver.ensureExported(target(subject, '2'), undefined));
      await subject.kill?.();
      assert.equal(await isThere(driver.readTarget(guarded(subject))), false);
      const again = await subject.restarted();
      assert.deepEqual(
        (await again.ensureServing()).map(({ isOffered }) => isOffered),
        [true, true],
      );
      assert.equal(await isThere(again.readTarget(guarded(subject))), true);
      await subject.kill?.();
      succeeded(await again.ensureNotExported(target(subject, '2')));
      assert.deepEqual(await again.ensureServing(), [{ blockVolumeId: blockId('1'), isOffered: true }]);
    },
  },
  {
    name: 'shows the size that the file has grown to, and offers on what it offered',
    needs: 'sizeSeen',
    run: async (subject: BlockTargetSubject): Promise<void> => {
      const { driver } = subject;
      succeeded(await driver.ensureFile(file(subject)));
      succeeded(await driver.ensureExported(target(subject), undefined));
      assert.equal(await subject.sizeSeen?.(target(subject)), GIB_KIB);
      succeeded(await driver.ensureGrown(file(subject, '1', 3)));
      succeeded(await driver.ensureExported(target(subject, '1', 3), undefined));
      assert.equal(await subject.sizeSeen?.(target(subject)), 3 * GIB_KIB);
      const early = await driver.ensureExported(target(subject, '1', 4), undefined);
      assert.ok(!early.ok && early.failure.transient, 'a size that the file does not have was offered');
    },
  },
];
