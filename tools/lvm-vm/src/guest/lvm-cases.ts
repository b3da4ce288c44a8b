/** What only this driver promises: heketi's names and sizes on the disk, clones respected, nothing left. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { kib } from '@brickyard/contracts';
import type { Case } from './cases';
import { BRICK_KIB, brickOf, device, deviceRef, DISK, done, GROUP, newDriver, sh, traces } from './scene';

/** Less than the file system in it: what a pool shared with clones comes to. */
const POOL_KIB = 256 * 1024;
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
    name: 'ends a brick, and takes one away, whose pool has a part that a killed lvcreate left active',
    run: async (): Promise<void> => {
      const driver = newDriver();
      done(await driver.ensureDevice(device));
      for (const step of ['ensureBrick', 'ensureNoBrick'] as const) {
        const brick = brickOf('5');
        const pool = `${GROUP}/tp_${brick.brickId}`;
        done(await driver.ensureBrick(brick));
        sh('umount', dirname(brick.path));
        sh('lvchange', '-qq', '-an', `${GROUP}/brick_${brick.brickId}`, pool);
        sh('lvchange', '-qq', '-y', '-ay', `${pool}_tmeta`);
        assert.throws(() => sh('lvchange', '-qq', '-ay', pool), /prohibited while logical volume/);
        done(await driver[step](brick));
      }
      assert.deepEqual(traces(), []);
    },
  },
  {
    name: 'tells that a pool shared with a clone fills up; once it is larger, all that was written is there and writes go on',
    run: async (): Promise<void> => {
      const driver = newDriver();
      const brick = { ...brickOf('4'), poolKib: kib(POOL_KIB) };
      const pool = `${GROUP}/tp_${brick.brickId}`;
      const mount = dirname(brick.path);
      done(await driver.ensureDevice(device));
      done(await driver.ensureBrick(brick));
      assert.deepEqual(await driver.readPools?.(), [], 'a pool of one brick is told of');
      sh('dd', 'if=/dev/urandom', `of=${brick.path}/kept`, 'bs=1M', 'count=64', 'conv=fsync', 'status=none');
      const kept = reported('sha256sum', `${brick.path}/kept`);
      sh('lvcreate', '-qq', '--snapshot', '--name', 'clone', `${GROUP}/brick_${brick.brickId}`);
      const [before] = (await driver.readPools?.()) ?? [];
      assert.equal(before?.pool, pool);
      assert.ok(before.data > 0.2 && before.data < 0.8, `${String(before.data)} before it fills up`);
      const fill = ['if=/dev/zero', `of=${brick.path}/more`, 'bs=1M', 'count=512', 'conv=fsync', 'status=none'];
      assert.throws(() => sh('dd', ...fill), 'more was written than the pool holds');
      const [full] = (await driver.readPools?.()) ?? [];
      assert.ok(full !== undefined && full.data > 0.99, `${String(full?.data)} when it is full`);
      // What the runbook says.
      sh('lvextend', '-qq', '--size', '+2G', pool);
      sh('umount', mount);
      done(await driver.ensureServed(brick));
      assert.equal(reported('sha256sum', `${brick.path}/kept`), kept);
      sh('dd', ...fill);
      const [after] = (await driver.readPools?.()) ?? [];
      assert.ok(after !== undefined && after.data < 0.8, `${String(after?.data)} after it was made larger`);
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
