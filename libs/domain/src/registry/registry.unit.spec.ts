import type { RegistryCommand, RegistryEvent } from '@brickyard/contracts';
import { decideRegistry } from './registry.decide';
import { evolveRegistry } from './registry.evolve';
import { emptyRegistryState, type RegistryState } from './registry.state';

const NOW = '2026-01-01T00:00:00.000Z';
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const file = (letter: string): string => `blobs/sha256/${letter}${letter}/${letter.repeat(64)}.0000000000000000`;
const UPLOAD = '6f7a2f0e-0c39-4a0e-9d5a-3a0d3a7b1c11';

/** Commands in a row; every one is expected to be accepted. */
function given(...commands: readonly unknown[]): RegistryState {
  return commands.reduce<RegistryState>((state, command) => after(state, command), emptyRegistryState);
}
function decide(state: RegistryState, command: unknown) {
  return decideRegistry(command as RegistryCommand, state, { now: NOW, position: 0 });
}
function after(state: RegistryState, command: unknown): RegistryState {
  const decision = decide(state, command);
  if (decision.kind === 'rejected') throw new Error(decision.rejection.kind);
  return decision.events.reduce<RegistryState>(
    (next, event, index) => evolveRegistry(next, { position: index + 1, at: NOW, event }),
    state,
  );
}
const typesOf = (state: RegistryState, command: unknown): readonly string[] => {
  const decision = decide(state, command);
  return decision.kind === 'rejected'
    ? [decision.rejection.kind]
    : decision.events.map(({ type }: RegistryEvent) => type);
};

const link = (letter: string, more: object = {}) => ({
  type: 'LinkBlob',
  repository: 'app',
  digest: digest(letter),
  size: 10,
  file: file(letter),
  rules: {},
  ...more,
});
const manifest = (letter: string, more: object = {}) => ({
  type: 'PushManifest',
  repository: 'app',
  digest: digest(letter),
  size: 5,
  file: file(letter),
  mediaType: 'x/y',
  references: [digest('a')],
  blobs: [digest('a')],
  manifests: [],
  tags: ['latest'],
  rules: {},
  ...more,
});
const open = { type: 'OpenUpload', repository: 'app', uploadId: UPLOAD, algorithm: 'sha256', rules: {} };
const advance = (from: number, added: number, length = added, name = 'uploads/one') => ({
  type: 'AdvanceUpload',
  uploadId: UPLOAD,
  from,
  added,
  part: { file: name, length },
});

describe('LinkBlob', () => {
  it('stores and links once; a second copy of the bytes is not named', () => {
    expect(typesOf(emptyRegistryState, link('a'))).toEqual(['BlobStored', 'BlobLinked']);
    const state = given(link('a'));
    expect(typesOf(after(state, manifest('c')), link('a', { file: file('b') }))).toEqual([]);
    expect(typesOf(state, link('a', { repository: 'other', file: file('b') }))).toEqual(['BlobLinked']);
  });

  it('makes a link young again that no manifest holds: a manifest is about to come', () => {
    expect(typesOf(given(link('a')), link('a', { file: file('b') }))).toEqual(['BlobLinked']);
  });

  it('replaces a file that is bad, which is then to be removed', () => {
    const state = given(link('a'), link('a', { file: file('b'), bad: file('a') }));
    expect(state.blobs.get(digest('a') as never)?.file).toBe(file('b'));
    expect([...state.doomed.keys()]).toEqual([file('a')]);
  });

  it('is refused when the file it relies on was condemned meanwhile', () => {
    const relying = link('a', { repository: 'other', isPresent: true });
    expect(typesOf(given(link('a')), relying)).toEqual(['BlobLinked']);
    const collect = { type: 'CollectGarbage', before: '2026-01-02T00:00:00.000Z', blobsMax: 10 };
    expect(typesOf(given(link('a'), collect, collect), relying)).toEqual(['BlobUnknown']);
  });

  it('ends its upload, and needs one that is open when it names one', () => {
    const named = link('a', { uploadId: UPLOAD });
    expect(typesOf(given(open), named)).toEqual(['BlobStored', 'BlobLinked', 'UploadEnded']);
    expect(typesOf(emptyRegistryState, named)).toEqual(['UploadUnknown']);
  });

  it('is refused over the quota', () => {
    expect(typesOf(given(link('a')), link('b', { rules: { quotaBytes: 19 } }))).toEqual(['QuotaExceeded']);
    expect(typesOf(given(link('a')), link('b', { rules: { quotaBytes: 20 } }))).toHaveLength(2);
  });
});

describe('AdvanceUpload', () => {
  it('adds a part, or grows the last one', () => {
    const state = given(open, advance(0, 4), advance(4, 2, 6), advance(6, 3, 3, 'uploads/two'));
    expect(state.uploads.get(UPLOAD as never)).toMatchObject({
      offset: 9,
      parts: [
        { file: 'uploads/one', length: 6 },
        { file: 'uploads/two', length: 3 },
      ],
    });
  });

  it('is refused elsewhere than at the end', () => {
    expect(typesOf(given(open, advance(0, 4)), advance(0, 4))).toEqual(['WrongOffset']);
    expect(typesOf(emptyRegistryState, advance(0, 4))).toEqual(['UploadUnknown']);
    expect(typesOf(given(open), advance(0, 4, 5))).toEqual(['FactRefused']);
  });
});

describe('PushManifest', () => {
  it('moves tags last, and repeats nothing', () => {
    expect(typesOf(given(link('a')), manifest('m'.replace('m', 'c')))).toEqual([
      'BlobStored',
      'ManifestPushed',
      'TagMoved',
    ]);
    expect(typesOf(given(link('a'), manifest('c')), manifest('c'))).toEqual([]);
  });

  it('under another media type needs what it names then, and no more what it named before', () => {
    const before = given(link('a'), link('b'), manifest('c', { mediaType: 'x/z', references: [digest('b')] }));
    const state = after(before, manifest('c', { size: 5 }));
    expect([...(state.repositories.get('app' as never)?.needed.entries() ?? [])]).toEqual([[digest('a'), 1]]);
    expect(state.repositories.get('app' as never)?.bytes).toBe(25);
    const collect = { type: 'CollectGarbage', before: '2026-01-02T00:00:00.000Z', blobsMax: 10 };
    expect(decide(state, collect)).toMatchObject({ events: [{ type: 'BlobUnlinked', digest: digest('b') }] });
  });

  it('names what is missing', () => {
    expect(typesOf(emptyRegistryState, manifest('c'))).toEqual(['ReferencesMissing']);
  });

  it('leaves a fixed tag where it is', () => {
    const fixed = { rules: { fixedTags: ['latest'] } };
    const state = given(link('a'), manifest('c', fixed));
    expect(typesOf(state, manifest('d', fixed))).toEqual(['TagFixed']);
    const taking = { repository: 'app', cause: 'request', ...fixed };
    expect(typesOf(state, { type: 'DeleteTag', tag: 'latest', ...taking })).toEqual(['TagFixed']);
    expect(typesOf(state, { type: 'DeleteManifest', digest: digest('c'), ...taking })).toEqual(['TagFixed']);
  });
});

describe('the other commands', () => {
  const state = given(link('a'), manifest('c'));

  it.each<[string, object, readonly string[]]>([
    [
      'MountBlob links',
      { type: 'MountBlob', repository: 'b', digest: digest('a'), from: 'app', rules: {} },
      ['BlobLinked'],
    ],
    [
      'MountBlob leaves alone what a manifest holds',
      { type: 'MountBlob', repository: 'app', digest: digest('a'), from: 'app', rules: {} },
      [],
    ],
    [
      'MountBlob needs it there',
      { type: 'MountBlob', repository: 'b', digest: digest('e'), from: 'app', rules: {} },
      ['BlobUnknown'],
    ],
    ['DeleteTag', { type: 'DeleteTag', repository: 'app', tag: 'latest', cause: 'request' }, ['TagDeleted']],
    [
      'DeleteTag that moved',
      { type: 'DeleteTag', repository: 'app', tag: 'latest', cause: 'retention', digest: digest('e') },
      ['StillInUse'],
    ],
    [
      'DeleteManifest takes tags',
      { type: 'DeleteManifest', repository: 'app', digest: digest('c'), cause: 'request' },
      ['TagDeleted', 'ManifestDeleted'],
    ],
    [
      'DeleteManifest only if loose',
      { type: 'DeleteManifest', repository: 'app', digest: digest('c'), cause: 'retention', isOnlyLoose: true },
      ['StillInUse'],
    ],
    ['DeleteBlob', { type: 'DeleteBlob', repository: 'app', digest: digest('a'), cause: 'request' }, ['BlobUnlinked']],
    ['KeepBlob', { type: 'KeepBlob', repository: 'app', digest: digest('a') }, ['BlobLinked']],
    ['EndUpload', { type: 'EndUpload', uploadId: UPLOAD, outcome: 'cancelled' }, ['UploadUnknown']],
    ['ReportBadBlob', { type: 'ReportBadBlob', digest: digest('a'), file: file('a'), finding: 'x' }, ['BlobFoundBad']],
    [
      'ReportBadBlob of another file',
      { type: 'ReportBadBlob', digest: digest('a'), file: file('b'), finding: 'x' },
      [],
    ],
    [
      'ConfirmRemoval of what is not doomed',
      { type: 'ConfirmRemoval', removed: [{ digest: digest('a'), file: file('a') }] },
      [],
    ],
    ['SwitchWrites', { type: 'SwitchWrites', isReadOnly: true, reason: 'x' }, ['WritesSwitched']],
    ['SwitchWrites to what is', { type: 'SwitchWrites', isReadOnly: false, reason: 'x' }, []],
    [
      'CollectGarbage spares what is needed',
      { type: 'CollectGarbage', before: '2026-01-02T00:00:00.000Z', blobsMax: 9 },
      [],
    ],
    ['RestoreFacts elsewhere', { type: 'RestoreFacts', at: 7, facts: [] }, ['NotEmpty']],
  ])('%s', (_, command, types) => {
    expect(typesOf(state, command)).toEqual(types);
  });

  it('make a link young again that no manifest holds when it is mounted, whatever the quota', () => {
    const loose = after(state, link('a', { repository: 'b' }));
    const mount = { type: 'MountBlob', repository: 'b', digest: digest('a'), from: 'app', rules: { quotaBytes: 1 } };
    expect(typesOf(loose, mount)).toEqual(['BlobLinked']);
  });

  it('write nothing while the switch is on', () => {
    const closed = after(state, { type: 'SwitchWrites', isReadOnly: true, reason: 'moving' });
    const commands = [
      open,
      link('e'),
      manifest('d'),
      { type: 'DeleteBlob', repository: 'app', digest: digest('a'), cause: 'request' },
    ];
    for (const command of commands) expect(typesOf(closed, command)).toEqual(['ReadOnly']);
  });

  it('count bytes and links back to nothing', () => {
    const gone = [
      { type: 'DeleteManifest', repository: 'app', digest: digest('c'), cause: 'request' },
      { type: 'DeleteBlob', repository: 'app', digest: digest('a'), cause: 'request' },
    ].reduce<RegistryState>(after, state);
    const repository = gone.repositories.get('app' as never);
    expect([repository?.bytes, repository?.needed.size, repository?.blobs.size]).toEqual([0, 0, 0]);
    expect([...gone.blobs.values()].map(({ links }) => links)).toEqual([0, 0]);
  });
});

describe('what was fetched', () => {
  const fetched = manifest('m', { blobs: [], fetchedFrom: 'hub.example/app' });

  it('needs nothing to be here, says where it came from, and is told apart from what was pushed', () => {
    const decision = decide(emptyRegistryState, fetched);
    if (decision.kind === 'rejected') throw new Error(decision.rejection.kind);
    const told = decision.events.map((event) =>
      'fetchedFrom' in event ? [event.type, event.fetchedFrom] : event.type,
    );
    expect(told).toEqual(['BlobStored', ['ManifestPushed', 'hub.example/app'], ['TagMoved', 'hub.example/app']]);
    expect(
      given(fetched)
        .repositories.get('app' as never)
        ?.manifests.get(digest('m') as never)?.isFetched,
    ).toBe(true);
  });

  it('belongs to whoever pushes it', () => {
    const pushed = given(fetched, link('a'), manifest('m'));
    expect(pushed.repositories.get('app' as never)?.manifests.get(digest('m') as never)).not.toHaveProperty(
      'isFetched',
    );
    expect(typesOf(pushed, manifest('m'))).toEqual([]);
  });

  it('knows when it was used last', () => {
    const used = { type: 'RecordPull', repository: 'app', digest: digest('m') };
    expect(typesOf(emptyRegistryState, used)).toEqual(['ManifestUnknown']);
    const pulledAt = given(fetched, used)
      .repositories.get('app' as never)
      ?.manifests.get(digest('m') as never)?.pulledAt;
    expect(pulledAt).toBe(NOW);
  });
});
