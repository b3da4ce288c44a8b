import type { RegistryEvent } from '@brickyard/contracts';
import { emptyRegistryState, evolveRegistry, fact, type RegistryState } from '@brickyard/domain/registry';
import { ConfigFile } from '../config-file';
import { planEviction } from './eviction';

const DAY_MS = 86_400_000;
const digest = (letter: string): never => `sha256:${letter.repeat(64)}` as never;
const day = (count: number): number => Date.parse('2026-01-01T00:00:00Z') + count * DAY_MS;

/** What happened on which day. */
const after = (...history: readonly (readonly [number, RegistryEvent])[]): RegistryState =>
  history.reduce(
    (state, [at, event], index) =>
      evolveRegistry(state, { position: index + 1, at: new Date(day(at)).toISOString(), event }),
    emptyRegistryState,
  );
const stored = (letter: string, size: number): RegistryEvent =>
  fact('BlobStored', { digest: digest(letter), size, file: `blobs/${letter}` as never });
const pushed = (repository: string, letter: string, ...references: string[]): RegistryEvent =>
  fact('ManifestPushed', {
    ...{ repository: repository as never, digest: digest(letter), size: 10, mediaType: 'x/y' },
    references: references.map(digest),
    ...(repository.startsWith('hub/') ? { fetchedFrom: 'hub.example/app' } : {}),
  });
const pulled = (repository: string, letter: string): RegistryEvent =>
  fact('ManifestPulled', { repository: repository as never, digest: digest(letter) });

const planned = (state: RegistryState, keep: object | undefined, now: number): readonly string[] =>
  planEviction(
    state,
    ConfigFile.parse({ upstreams: [{ name: 'hub', prefix: 'hub', url: 'https://hub.example', keep }] }).upstreams,
    day(now),
  ).map((one) => `${one.repository} ${one.digest.at(-1) ?? ''}`);

/** Two images with a layer in common, and one of our own. */
const three = after(
  [0, stored('a', 10)],
  [0, stored('b', 10)],
  [0, stored('c', 10)],
  [0, stored('d', 1_000)],
  [0, stored('e', 100)],
  [0, pushed('hub/one', 'a', 'd', 'e')],
  [1, pushed('hub/two', 'b', 'd')],
  [0, pushed('own', 'c', 'd')],
  [5, pulled('hub/one', 'a')],
);

describe('eviction', () => {
  it('takes nothing without a rule', () => {
    expect(planned(three, undefined, 1_000)).toEqual([]);
    expect(planned(three, {}, 1_000)).toEqual([]);
  });

  it('takes what nobody has pulled for so many days, and never what was pushed here', () => {
    expect(planned(three, { days: 4 }, 4)).toEqual([]);
    expect(planned(three, { days: 4 }, 5)).toEqual(['hub/two b']);
    expect(planned(three, { days: 4 }, 9)).toEqual(['hub/two b', 'hub/one a']);
  });

  it('takes what was pulled longest ago until the others have room, a layer in common counted once', () => {
    expect(planned(three, { bytes: 1_120 }, 6)).toEqual([]);
    expect(planned(three, { bytes: 1_119 }, 6)).toEqual(['hub/two b']);
    expect(planned(three, { bytes: 1_109 }, 6)).toEqual(['hub/two b', 'hub/one a']);
  });
});
