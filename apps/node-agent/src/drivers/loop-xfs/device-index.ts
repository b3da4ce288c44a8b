/** Which device files this host was given: a file for each, so that bricks are found again after a reboot. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../journal';

const Entry = z.strictObject({ deviceId: z.string(), name: z.string() });

/** A device file and its owner. */
export type IndexedDevice = z.infer<typeof Entry>;

/** The device files of this host. */
export interface DeviceIndex {
  all(): readonly IndexedDevice[];
  put(deviceId: string, name: string): void;
  remove(deviceId: string): void;
}

/** Opens the index in a directory of its own. */
export function openDeviceIndex(directory: string): DeviceIndex {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fileOf = (deviceId: string): string => join(directory, `${deviceId}.json`);
  return {
    all: () =>
      readdirSync(directory)
        .filter((name) => name.endsWith('.json'))
        .map((name) => Entry.parse(JSON.parse(readFileSync(join(directory, name), 'utf8')))),
    put: (deviceId, name) => {
      replaceFile(fileOf(deviceId), `${JSON.stringify({ deviceId, name } satisfies IndexedDevice)}\n`);
    },
    remove: (deviceId) => {
      rmSync(fileOf(deviceId), { force: true });
    },
  };
}
