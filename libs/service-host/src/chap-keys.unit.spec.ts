import { BlockVolumeId } from '@brickyard/contracts';
import { chapKeysFrom, chapVariables } from './chap-keys';
import { readConfig } from './config';
import { z } from 'zod';

const schema = z.object(chapVariables);
const keysOf = (text: string) => chapKeysFrom(readConfig(schema, { BRICKYARD_CHAP_KEYS: text }));
const ONE = 'a'.repeat(32);
const OTHER = 'b'.repeat(40);
const block = BlockVolumeId.parse('1'.repeat(32));

describe('keys of block volumes', () => {
  it('give each block volume a secret of its own that initiators take', () => {
    const keys = keysOf(ONE);
    const secret = keys?.secretOf(keys.newest, block);
    expect(secret).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(keys?.secretOf(keys.newest, block)).toBe(secret);
    expect(keys?.secretOf(keys.newest, BlockVolumeId.parse('2'.repeat(32)))).not.toBe(secret);
  });

  it('keep the secrets of block volumes made under an earlier key', () => {
    const before = keysOf(ONE);
    const after = keysOf(`${OTHER}\n${ONE}\n`);
    expect(after?.newest).not.toBe(before?.newest);
    const keyId = before?.newest ?? '';
    expect(after?.secretOf(keyId, block)).toBe(before?.secretOf(keyId, block));
    expect(keysOf(OTHER)?.secretOf(keyId, block)).toBeUndefined();
  });

  it('are refused when they are short, without being told', () => {
    expect(() => keysOf('short')).toThrow(/BRICKYARD_CHAP_KEYS: must be keys of at least 32 characters/);
    expect(() => keysOf('short')).not.toThrow(/short/);
    expect(chapKeysFrom({})).toBeUndefined();
  });
});
