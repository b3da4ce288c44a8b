import type { CommandReply } from '@brickyard/contracts';
import { withinMessage } from './command.consumer';

const refusal = (size: number): CommandReply => ({
  kind: 'rejected',
  position: 1,
  rejection: { kind: 'HostnameInUse', hostname: 'x'.repeat(size), nodeId: 'n' },
});
const accepted: CommandReply = { kind: 'accepted', position: 1, repeated: false, ids: {} };

describe('replies of one batch', () => {
  it('stay as they are while they fit into a message', () => {
    const replies = [accepted, refusal(100), accepted];
    expect(withinMessage(replies)).toEqual(replies);
  });

  it('are asked for again where they do not fit, each in its place', () => {
    const replies = withinMessage([refusal(600), refusal(600), accepted], 1_000);
    expect(replies.map(({ kind }) => kind)).toEqual(['rejected', 'unavailable', 'accepted']);
    expect(JSON.stringify(replies).length).toBeLessThan(1_200);
  });

  it('always hold the first, so that one asked for alone gets its answer', () => {
    expect(withinMessage([refusal(600)], 100)).toEqual([refusal(600)]);
  });
});
