import { type BrickWatch, watchBricks } from './brick-watch';

const mounted = (path: string) => ({ path, mounted: true });
const away = (path: string) => ({ path, mounted: false, problem: 'not mounted' });

describe('which bricks are not mounted', () => {
  let told: (readonly string[])[];
  let watch: BrickWatch;

  beforeEach(() => {
    told = [];
    watch = watchBricks((paths) => told.push(paths));
  });

  it('is not said to be none before anybody has looked', () => {
    expect(watch.notMounted).not.toEqual([]);
    watch.begin([mounted('/a')]);
    expect(watch.notMounted).toEqual([]);
  });

  it('holds what could not be mounted at the start until it is seen mounted, though a look does not find it', () => {
    watch.begin([mounted('/a'), away('/b')]);
    watch.see([mounted('/a')]);
    expect(watch.notMounted).toEqual(['/b']);
    watch.see([mounted('/a'), mounted('/b')]);
    expect(watch.notMounted).toEqual([]);
  });

  it('holds what somebody unmounts later, when it is seen twice, and names each once', () => {
    watch.begin([mounted('/a'), away('/b')]);
    watch.see([away('/a'), away('/b'), away('/c')]);
    expect(watch.notMounted).toEqual(['/b']);
    watch.see([away('/a'), away('/b'), mounted('/c')]);
    expect(watch.notMounted).toEqual(['/a', '/b']);
    watch.see([mounted('/a'), mounted('/b')]);
    expect(told.at(-1)).toEqual([]);
  });

  it('lets go of a brick that was taken away', () => {
    watch.begin([away('/b')]);
    watch.forget('/b');
    expect(watch.notMounted).toEqual([]);
  });
});
