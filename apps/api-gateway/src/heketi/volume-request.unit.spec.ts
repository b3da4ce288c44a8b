import { VolumeCreateRequest, type VolumeId, type VolumeSpec } from '@brickyard/contracts';
import { volumeSpecFrom } from './volume-request';

const volumeId = 'f'.repeat(32) as VolumeId;
const none = { before: '', after: '', hosting: 'group gluster-block' };
const spec = (body: object, server = none): VolumeSpec =>
  volumeSpecFrom(VolumeCreateRequest.parse({ size: 1, ...body }), volumeId, server);
const problem = (body: object): string => {
  try {
    spec(body);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};
const replicate = (replica?: number): object => ({ durability: { type: 'replicate', replicate: { replica } } });
const disperse = (data: number, redundancy: number): object => ({
  durability: { type: 'disperse', disperse: { data, redundancy } },
});

describe('POST /volumes', () => {
  it('fills in heketi’s defaults', () => {
    expect(spec({})).toEqual({
      name: `vol_${volumeId}`,
      sizeKib: 1_048_576,
      durability: { kind: 'none' },
      gid: 0,
      options: ['', ''],
      block: false,
      snapshots: false,
      snapshotFactor: '1',
      requestedDurability: { type: 'none', replicate: {}, disperse: {} },
    });
  });

  it('makes two copies when the number is left to us, and says so', () => {
    for (const body of [replicate(), replicate(0)]) {
      expect(spec(body).durability).toEqual({ kind: 'replicate', replica: 2 });
      expect(spec(body).requestedDurability).toEqual({ type: 'replicate', replicate: { replica: 2 }, disperse: {} });
    }
  });

  it('echoes the durability that was not chosen, too', () => {
    const durability = { type: 'replicate', replicate: { replica: 3 }, disperse: { data: 4, redundancy: 2 } };
    expect(spec({ durability }).requestedDurability).toEqual(durability);
  });

  it('puts the server’s options around those of the request', () => {
    expect(spec({ glustervolumeoptions: ['a b'] }).options).toEqual(['', 'a b', '']);
    expect(spec({ glustervolumeoptions: ['a b'] }, { ...none, before: 'x 1,y 2', after: 'z 3' }).options).toEqual([
      'x 1',
      'y 2',
      'a b',
      'z 3',
    ]);
  });

  it.each([
    [{ gid: -1 }, 'Bad group id less than zero'],
    [{ gid: 2_147_483_647 }, 'Bad group id equal or greater than 2**32'],
    [{ gid: 2_147_483_646 }, 'accepted'],
    [{ durability: { type: 'raid' } }, 'Unknown durability type'],
    [replicate(4), 'Invalid replica value'],
    [replicate(-1), 'Invalid replica value'],
    [replicate(1), 'accepted'],
    [disperse(2, 1), 'accepted'],
    [disperse(8, 4), 'accepted'],
    [disperse(3, 1), 'Invalid dispersion combination: 3+1'],
    [disperse(0, 0), 'Invalid dispersion combination: 0+0'],
    [{ snapshot: { enable: true } }, 'Invalid snapshot factor'],
    [{ snapshot: { enable: true, factor: 0.5 } }, 'Invalid snapshot factor'],
    [{ snapshot: { enable: true, factor: 101 } }, 'Invalid snapshot factor'],
    [{ snapshot: { enable: true, factor: 100 } }, 'accepted'],
    [{ name: 'bad name', gid: -1 }, 'validation failed: name: must be in a valid format.'],
    [{ gid: -1, durability: { type: 'raid' } }, 'Bad group id less than zero'],
    [{ snapshot: { enable: true }, ...replicate(4) }, 'Invalid snapshot factor'],
  ])('answers %j with: %s', (body, text) => {
    expect(problem(body)).toBe(text);
  });

  it.each([
    [{ enable: true, factor: 1 }, '1'],
    [{ enable: true, factor: 1.3 }, '1.3'],
    [{ enable: true, factor: 1.299_999_952_316_284_2 }, '1.3'],
    [{ enable: false, factor: 50 }, '1'],
  ])('keeps the snapshot factor of %j in 32 bits', (snapshot, factor) => {
    expect(spec({ snapshot }).snapshotFactor).toBe(factor);
  });

  it('takes a size that no cluster has without losing count', () => {
    expect(spec({ size: Number.MAX_SAFE_INTEGER }).sizeKib).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });
});
