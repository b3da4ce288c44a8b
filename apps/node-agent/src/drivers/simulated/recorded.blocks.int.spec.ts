import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VolumeId } from '@brickyard/contracts';
import { blockTargetCases, type BlockTargetSubject } from '../block-target.driver.contract';
import { openRecordedBlocks } from './recorded.blocks';

async function subject(): Promise<BlockTargetSubject> {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-blocks-'));
  const open = () =>
    openRecordedBlocks({ file: join(directory, 'blocks.journal'), isServed: () => Promise.resolve(true) });
  const opened = [await open()];
  return {
    driver: (opened[0] ?? (await open())).on('10.0.0.1'),
    hosting: { volumeId: VolumeId.parse('f'.repeat(32)), name: 'host' },
    async restarted() {
      const again = await open();
      opened.push(again);
      return again.on('10.0.0.1');
    },
    async close() {
      for (const one of opened) await one.close();
      rmSync(directory, { recursive: true });
    },
  };
}

describe('recorded driver of block targets', () => {
  for (const { name, needs, run } of blockTargetCases) {
    if (needs !== undefined) continue;
    it(name, async () => {
      const made = await subject();
      try {
        await run(made);
      } finally {
        await made.close();
      }
    });
  }
});
