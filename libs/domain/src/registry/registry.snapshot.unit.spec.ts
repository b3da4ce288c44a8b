import { type RegistryEvent, type RegistryEventType, upcastRegistryEvent } from '@brickyard/contracts';
import { fold, type Recorded } from '@brickyard/event-sourcing';
import fc from 'fast-check';
import { hash } from 'node:crypto';
import { evolveRegistry } from './registry.evolve';
import { decodeRegistrySnapshot, encodeRegistrySnapshot, REGISTRY_FOLD_VERSION } from './registry.snapshot';
import { emptyRegistryState, type RegistryState } from './registry.state';

const digest = fc.constantFrom(...['a', 'b', 'c', 'd', 'e'].map((letter) => `sha256:${letter.repeat(64)}`));
const repository = fc.constantFrom('app', 'team/base', 'x');
const tag = fc.constantFrom('latest', 'v1');
const file = fc.constantFrom('blobs/one', 'blobs/two', 'blobs/three');
const uploadId = fc.constantFrom('6f7a2f0e-0c39-4a0e-9d5a-3a0d3a7b1c11', '6f7a2f0e-0c39-4a0e-9d5a-3a0d3a7b1c12');
const size = fc.nat(1_000);
const cause = fc.constant('request');
const of = (type: RegistryEventType, data: Record<string, fc.Arbitrary<unknown>>, optional: string[] = []) =>
  fc
    .record(data, { requiredKeys: Object.keys(data).filter((key) => !optional.includes(key)) })
    .map((value): RegistryEvent => upcastRegistryEvent(type, 1, value));

/** Any fact after any other, whether a decision could lead to it or not. */
const anyFact = fc.oneof(
  of('BlobStored', { digest, size, file }),
  of('BlobLinked', { repository, digest, size }),
  of('BlobUnlinked', { repository, digest, cause }),
  of(
    'ManifestPushed',
    {
      ...{ repository, digest, size, mediaType: fc.constantFrom('x/y', 'x/z'), references: fc.array(digest) },
      ...{ artifactType: fc.constant('a/b'), subject: digest, fetchedFrom: fc.constant('hub/app') },
    },
    ['artifactType', 'subject', 'fetchedFrom'],
  ),
  of('ManifestPulled', { repository, digest }),
  of('ManifestDeleted', { repository, digest, cause }),
  of('TagMoved', { repository, tag, digest }),
  of('TagDeleted', { repository, tag, digest, cause }),
  of('UploadOpened', { repository, uploadId, algorithm: fc.constant('sha256') }),
  of(
    'UploadAdvanced',
    { uploadId, offset: size, parts: fc.array(fc.record({ file, length: size }), { maxLength: 2 }), digest },
    ['digest'],
  ),
  of('UploadEnded', { uploadId, outcome: fc.constant('committed') }),
  of('BlobCondemned', { digest, file, size }),
  of('BlobRemoved', { digest, file }),
  of('BlobFoundBad', { digest, file, finding: fc.constant('it is gone') }),
  of('WritesSwitched', { isReadOnly: fc.boolean(), reason: fc.constant('a move') }),
);

const recorded = (events: readonly RegistryEvent[]): Recorded<RegistryEvent>[] =>
  events.map((event, index) => ({ position: index + 1, at: new Date(index * 1_000).toISOString(), event }));

describe('a snapshot of the facts', () => {
  it('and the events after it fold to what all events fold to', () => {
    fc.assert(
      fc.property(fc.array(anyFact, { maxLength: 60, size: 'max' }), fc.nat(60), (events, cut) => {
        const history = recorded(events);
        const all = fold(evolveRegistry, emptyRegistryState, history);
        const half = fold(evolveRegistry, emptyRegistryState, history.slice(0, cut));
        const kept = decodeRegistrySnapshot([...encodeRegistrySnapshot(half)]);
        expect(kept).toEqual(half);
        expect(fold(evolveRegistry, kept, history.slice(cut))).toEqual(all);
      }),
      { numRuns: 100 },
    );
  });

  it('has equal lines for equal states, however they came to be', () => {
    const linked = ['b', 'a', 'c'].map(
      (letter) =>
        ({
          type: 'BlobLinked',
          version: 1,
          repository: letter,
          digest: `sha256:${letter.repeat(64)}`,
          size: 1,
        }) as never,
    );
    const at = (events: readonly RegistryEvent[]): RegistryState =>
      fold(
        evolveRegistry,
        emptyRegistryState,
        recorded(events).map((one) => ({ ...one, at: '2026-01-01T00:00:00.000Z' })),
      );
    expect([...encodeRegistrySnapshot(at(linked))]).toEqual([...encodeRegistrySnapshot(at([...linked].reverse()))]);
  });

  it('is of a version that changes when the fold does', () => {
    const events = fc.sample(anyFact, { seed: 20260101, numRuns: 500 });
    const state = fold(evolveRegistry, emptyRegistryState, recorded(events));
    // Another digest: the fold gives another state for the same events, so raise the version along with it (or fast-check gives other events).
    expect([REGISTRY_FOLD_VERSION, hash('sha256', [...encodeRegistrySnapshot(state)].join('\n')).slice(0, 16)]).toEqual(
      ['registry-3', 'f8db9b253ae16484'],
    );
  });
});
