import { readSettings } from './settings';

describe('readSettings', () => {
  it('needs nothing: without an API there is no volume, without a directory no mount', () => {
    expect(readSettings({})).toMatchObject({
      api: undefined,
      mountDirectory: undefined,
      instance: 'registry',
      volume: { name: 'registry', sizeGib: 1 },
    });
  });

  it('names what is wrong', () => {
    const env = {
      BRICKYARD_REGISTRY_SIZE_GIB: '0',
      BRICKYARD_REGISTRY_MOUNT: 'images',
      BRICKYARD_REGISTRY_VOLUME: 'a b',
    };
    expect(() => readSettings(env)).toThrow(/SIZE_GIB[^]*MOUNT: must be an absolute path|MOUNT[^]*SIZE_GIB/);
    expect(() => readSettings(env)).toThrow(/VOLUME: must be letters/);
  });
});
