import { VolumeCreateRequest } from '@brickyard/contracts';
import { readBody, readOptionalBody } from './request-body';

const read = (text: string): unknown => readBody(VolumeCreateRequest, Buffer.from(text));

describe('a request body', () => {
  it('matches field names whatever their case; the last one counts', () => {
    expect(read('{"Size":1,"SIZE":2,"Durability":{"TYPE":"none"},"unknown":{"a":1}}')).toMatchObject({
      size: 2,
      durability: { type: 'none' },
    });
  });

  it('takes null for absent', () => {
    expect(read('null')).toEqual({});
    expect(read('{"size":null,"clusters":[null],"glustervolumeoptions":null}')).toMatchObject({ clusters: [''] });
  });

  it.each(['', ' ', '{bad', '[]', '7', '{"size":"1"}', '{"size":1.5}', '{"block":"true"}', '{"clusters":{}}', '{} x'])(
    'is unparsable as %j',
    (text) => {
      expect(() => read(text)).toThrow('request unable to be parsed');
    },
  );

  it('replaces half a character as Go does', () => {
    expect(read('{"name":"a\\ud800b"}')).toMatchObject({ name: 'a\uFFFDb' });
    expect(read('{"name":"\\ud83d\\ude00"}')).toMatchObject({ name: '😀' });
  });

  it('is refused with a NUL in a text', () => {
    expect(() => read('{"glustervolumeoptions":["a\\u0000b"]}')).toThrow('must not contain NUL');
  });

  it('may be missing where it is optional', () => {
    expect(readOptionalBody(VolumeCreateRequest, Buffer.alloc(0))).toBeUndefined();
    expect(readOptionalBody(VolumeCreateRequest, undefined)).toBeUndefined();
    expect(() => readOptionalBody(VolumeCreateRequest, Buffer.from('x'))).toThrow('request unable to be parsed');
  });
});
