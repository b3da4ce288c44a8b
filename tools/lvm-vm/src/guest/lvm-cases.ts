/** What only this driver promises: heketi's names and sizes on the disk, clones respected, nothing left. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Case } from './cases';
import { BRICK_KIB, brickOf, device, deviceRef, DISK, done, GROUP, newDriver, sh, traces } from './scene';

const reported = (...argv: readonly [string, ...string[]]): string => sh(...argv).trim();

export const lvmCases: readonly Case[] = [
  {
    name: 'lays a brick out as heketi did, and leaves nothing of it',
    run: async (): Promise<void> => {
      const driver = newDriver();
      const brick = brickOf('1');
      done(await driver.ensureDevice(device));
      done(await driver.ensureBrick(brick));
      const volume = `${GROUP}/brick_${brick.brickId}`;
      const options = ['--noheadings', '--units=k', '--nosuffix', '--separator=:'];
      const found = reported('lvs', ...options, '--options=pool_lv,lv_size', volume);
      assert.equal(found, `tp_${brick.brickId}:${String(BRICK_KIB)}.00`);
      const pool = reported(
        'lvs',
        ...options,
        '--options=lv_size,lv_metadata_size,chunk_size,lv_tags',
        `${GROUP}/tp_${brick.brickId}`,
      );
      assert.equal(pool, `${String(BRICK_KIB)}.00:${String(8 * 1024)}.00:256.00:brickyard.brick=${brick.brickId}`);
      assert.equal(reported('vgs', ...options, '--options=vg_extent_size', GROUP), '4096.00');
      const { blocks, bsize } = statfsSync(dirname(brick.path));
      assert.ok(blocks * bsize > 0.9 * BRICK_KIB * 1024, `the file system has only ${String(blocks * bsize)} bytes`);
      assert.match(sh('xfs_info', dirname(brick.path)), /isize=512.*naming\s+=version 2\s+bsize=8192/s);
      done(await driver.ensureNoBrick(brick));
      assert.deepEqual(traces(), []);
      done(await driver.ensureNoDevice(deviceRef));
      assert.equal(reported('wipefs', '--parsable', DISK), '');
    },
  },
  {
    name: 'keeps the pool of a removed brick for its clones, and removes it after the last one',
    run: async (): Promise<void> => {
      const driver = newDriver();
      const brick = brickOf('2');
      done(await driver.ensureDevice(device));
      done(await driver.ensureBrick(brick));
      sh('lvcreate', '-qq', '--snapshot', '--name', 'clone', `${GROUP}/brick_${brick.brickId}`);
      done(await driver.ensureNoBrick(brick));
      const left = reported('lvs', '--noheadings', '--options=lv_name', GROUP).split(/\s+/);
      assert.deepEqual(left, ['clone', `tp_${brick.brickId}`]);
      sh('lvremove', '-qq', '-f', `${GROUP}/clone`);
      done(await driver.ensureNoBrick(brick));
      assert.deepEqual(traces(), []);
    },
  },
  {
    name: 'refuses a brick for which the device has no room, and leaves nothing of it',
    run: async (): Promise<void> => {
      const driver = newDriver();
      done(await driver.ensureDevice(device));
      const brick = brickOf('3');
      const huge = { ...brick, poolKib: brickOf('3').poolKib * 64 } as typeof brick;
      const outcome = await driver.ensureBrick(huge);
      assert.ok(!outcome.ok, 'a pool larger than its device was made');
      assert.match(outcome.failure.detail, /no room for brick/);
      assert.deepEqual(traces(), []);
    },
  },
];
