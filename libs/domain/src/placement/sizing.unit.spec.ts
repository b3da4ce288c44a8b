import { KIB_PER_GIB, kib, type Durability, type PlacementPolicy } from '@brickyard/contracts';
import { brickFootprint, fits, minimumVolumeKib, splits } from './sizing';

const GIB = KIB_PER_GIB;
const none: Durability = { kind: 'none' };
const replica = (count: number): Durability => ({ kind: 'replicate', replica: count });
const disperse = (data: number, redundancy: number): Durability => ({ kind: 'disperse', data, redundancy });
const policy: PlacementPolicy = {
  brickMinKib: kib(GIB),
  brickMaxKib: kib(4096 * GIB),
  bricksPerVolumeMax: 32,
  volumesPerClusterMax: 1000,
  zoneChecking: 'none',
};

describe('brickFootprint', () => {
  it.each([
    [1 * GIB, '1', 1_048_576, 8192, 1_056_768],
    [10 * GIB, '1', 10_485_760, 53_248, 10_539_008],
    [10 * GIB, '1.5', 15_728_640, 81_920, 15_810_560],
    [100 * GIB, '1', 104_857_600, 524_288, 105_381_888],
    [100 * GIB, '1.25', 131_072_000, 655_360, 131_727_360],
    [4096 * GIB, '1', 4_294_967_296, 16_777_216, 4_311_744_512],
    [163_840, '1', 163_840, 4096, 167_936],
    [16_384, '1', 16_384, 4096, 20_480],
  ])('of a brick of %d KiB with factor %s is %d + %d = %d', (brick, factor, poolKib, metadataKib, totalKib) => {
    expect(brickFootprint(brick, factor, 4096)).toEqual({ poolKib, metadataKib, totalKib });
  });

  it('uses the factor as a 32-bit float: 1.3 is a little less than 1.3', () => {
    const brickKib = 4096 * 10_000_000;
    expect(Math.floor(brickKib * 1.3)).toBe(53_248_000_000);
    expect(brickFootprint(brickKib, '1.3', 1).poolKib).toBe(53_247_998_046);
  });

  it('rounds pool and metadata up to whole extents of the device', () => {
    expect(brickFootprint(GIB + 1, '1', 65_536)).toEqual({
      poolKib: 1_114_112,
      metadataKib: 65_536,
      totalKib: 1_179_648,
    });
  });
});

describe('fits', () => {
  it.each([
    [497, true, 523_751_424],
    [498, false, 524_804_096],
  ])('says of a brick of %d GiB on an empty device of 500 GiB: %s', (size, answer, totalKib) => {
    expect(brickFootprint(size * GIB, '1', 4096).totalKib).toBe(totalKib);
    expect(fits(500 * GIB, totalKib)).toBe(answer);
  });

  it('wants something to be left over', () => {
    expect(fits(100, 100)).toBe(false);
    expect(fits(101, 100)).toBe(true);
  });
});

describe('minimumVolumeKib', () => {
  it.each([
    [none, 1_048_576],
    [replica(3), 1_048_576],
    [disperse(2, 1), 2_097_152],
    [disperse(4, 2), 4_194_304],
    [disperse(8, 3), 8_388_608],
  ])('of %j is %d', (durability, minimum) => {
    expect(minimumVolumeKib(durability, policy)).toBe(minimum);
  });

  it('grows with the smallest brick', () => {
    expect(minimumVolumeKib(disperse(4, 2), { ...policy, brickMinKib: kib(2 * GIB) })).toBe(8_388_608);
  });
});

describe('splits', () => {
  const of = (sizeGib: number, durability: Durability, over: Partial<PlacementPolicy> = {}, existingBricks = 0) => [
    ...splits({ sizeKib: sizeGib * GIB, durability, existingBricks, policy: { ...policy, ...over } }),
  ];
  const tried = (...args: Parameters<typeof of>) =>
    of(...args)
      .filter((split) => split.verdict === 'may-be-tried')
      .map((split) => split.brickKib);

  it('halves the bricks of 100 GiB in two copies up to 16 sets', () => {
    expect(tried(100, replica(2))).toEqual([104_857_600, 52_428_800, 26_214_400, 13_107_200, 6_553_600]);
    expect(of(100, replica(2)).at(-1)).toEqual({ sets: 32, brickKib: 3_276_800, verdict: 'too-many-bricks' });
  });

  it.each([
    [none, 32],
    [replica(2), 16],
    [replica(3), 8],
    [disperse(2, 1), 8],
    [disperse(4, 2), 4],
    [disperse(8, 3), 2],
    [disperse(8, 4), 2],
  ])('of %j goes up to %d sets', (durability, setsMax) => {
    const all = of(4096, durability);
    expect(all.filter((split) => split.verdict === 'may-be-tried').at(-1)?.sets).toBe(setsMax);
  });

  it('skips bricks that are too large and then finds too many: 100 TiB in two copies', () => {
    const all = of(100 * 1024, replica(2));
    expect(all.map((split) => split.verdict)).toEqual([...Array<string>(5).fill('brick-too-large'), 'too-many-bricks']);
    expect(all.at(-1)).toEqual({ sets: 32, brickKib: 3200 * GIB, verdict: 'too-many-bricks' });
  });

  it('divides a dispersed set among its data bricks: 200 GiB in 8+3', () => {
    expect(of(200, disperse(8, 3)).map((split) => split.brickKib)).toEqual([26_214_400, 13_107_200, 6_553_600]);
  });

  it('rounds down twice', () => {
    const [, second] = splits({ sizeKib: 10 * GIB + 7, durability: disperse(2, 1), existingBricks: 0, policy });
    expect(second?.brickKib).toBe(2_621_441);
  });

  it('follows the limits of its policy: 120 GiB in two copies as eight bricks', () => {
    const limits = { brickMaxKib: kib(50 * GIB), brickMinKib: kib(2 * GIB), bricksPerVolumeMax: 8 };
    expect(of(120, replica(2), limits)).toEqual([
      { sets: 1, brickKib: 125_829_120, verdict: 'brick-too-large' },
      { sets: 2, brickKib: 62_914_560, verdict: 'brick-too-large' },
      { sets: 4, brickKib: 31_457_280, verdict: 'may-be-tried' },
      { sets: 8, brickKib: 15_728_640, verdict: 'too-many-bricks' },
    ]);
  });

  it('counts the bricks the volume has', () => {
    expect(of(10, replica(3), {}, 30)).toEqual([{ sets: 1, brickKib: 10 * GIB, verdict: 'too-many-bricks' }]);
  });

  it.each([
    [1, disperse(4, 2), {}],
    [1, none, { brickMinKib: kib(2 * GIB) }],
  ])('gives nothing to try when %d GiB make bricks below the smallest', (size, durability, limits) => {
    expect(of(size, durability, limits).map((split) => split.verdict)).toEqual(['brick-too-small']);
  });
});
