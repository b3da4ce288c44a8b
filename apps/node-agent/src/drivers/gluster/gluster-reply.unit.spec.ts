import { healPendingIn, idleBricksIn, membersIn, migrationIn, volumesIn } from './gluster-answers';
import { answerIn, type Ended, replyTo } from './gluster-reply';

const xml = (ret: number, errno: number, message: string, body = ''): Ended => ({
  exit: 0,
  out:
    `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput><opRet>${String(ret)}</opRet>` +
    `<opErrno>${String(errno)}</opErrno><opErrstr>${message}</opErrstr>${body}</cliOutput>`,
  err: '',
});
const text = (exit: number, err: string): Ended => ({ exit, out: '', err });

describe('the reply of gluster', () => {
  it.each<[string, Ended, string]>([
    ['the cluster lock is held', xml(-1, 30802, 'Another transaction is in progress for v1.'), 'locked'],
    ['the lock is held for the whole cluster', xml(-1, 30800, 'Another transaction is in progress'), 'locked'],
    ['a rebalance runs', xml(-1, 30800, 'Volume name v1 rebalance is in progress. Please retry'), 'locked'],
    ['the daemon is away', text(1, 'Connection failed. Please check if gluster daemon is operational.'), 'no-daemon'],
    ['the daemon is overwhelmed', xml(-22, 0, ''), 'no-daemon'],
    ['a peer is unreachable', xml(-1, 107, 'Probe returned with Transport endpoint is not connected'), 'peer-away'],
    ['a brick host is down', xml(-1, 30800, 'Host 10.91.0.13 not connected'), 'peer-away'],
    ['a peer has not joined again', xml(-1, 30800, "Host 10.91.0.13 is not in 'Peer in Cluster' state"), 'peer-away'],
    ['a delete misses peers', xml(-1, 30800, 'Some of the peers are down'), 'peer-away'],
    ['a brick is not mounted', xml(-1, 0, 'Failed to find brick directory /p for volume dg.'), 'peer-away'],
    ['gluster gave up waiting', text(1, 'Error : Request timed out'), 'no-answer'],
    ['we gave up waiting', { ...xml(-1, 0, ''), out: '', broken: 'time' }, 'no-answer'],
    ['the output is cut off', { exit: 143, out: '<?xml version="1.0"?>\n<cliOutput><opR', err: '' }, 'refused'],
    ['the words are wrong', text(1, 'Usage: volume create <NEW-VOLNAME> ...'), 'refused'],
    ['a peer hosts bricks: opRet 1', xml(1, 3, 'Peer 10.91.0.12 hosts one or more bricks.'), 'refused'],
    ['a quota was refused: opRet -2', xml(-2, 0, 'Failed to get trusted.gfid attribute'), 'refused'],
  ])('is %s', (_, ended, trouble) => {
    expect(replyTo(ended, 'cause')).toMatchObject({ ok: false, trouble, cause: 'cause' });
  });

  it('is a success only when it parses and says 0, whatever the exit code and the text beside it', () => {
    expect(replyTo({ ...xml(0, 2, 'Host h port 24007 already in peer list'), exit: 1 }, '')).toEqual({ ok: true });
    expect(replyTo({ exit: 0, out: 'success', err: '' }, '')).toMatchObject({ ok: false });
    expect(replyTo({ exit: 0, out: '', err: '' }, '')).toMatchObject({ ok: false, trouble: 'no-answer' });
  });
});

const bodyOf = (body: string): unknown => {
  const answer = answerIn(xml(0, 0, '', body));
  return answer.kind === 'success' ? answer.body : undefined;
};

describe('the answers of gluster', () => {
  it('list a lone host, and its peers', () => {
    const self = '<peer><uuid>u1</uuid><hostname>localhost</hostname><connected>1</connected></peer>';
    const other =
      '<peer><uuid>u2</uuid><hostname>10.0.0.2</hostname><hostnames><hostname>10.0.0.2</hostname><hostname>b</hostname>' +
      '</hostnames><connected>0</connected><state>3</state><stateStr>Peer in Cluster</stateStr></peer>';
    expect(membersIn(bodyOf('<peerStatus/>'))).toEqual([]);
    expect(membersIn(bodyOf(`<peerStatus>${self}</peerStatus>`))).toMatchObject([
      { hostname: 'localhost', joined: true },
    ]);
    expect(membersIn(bodyOf(`<peerStatus>${other}</peerStatus>`))).toEqual([
      { uuid: 'u2', hostname: '10.0.0.2', names: ['10.0.0.2', 'b'], connected: false, joined: true, rejected: false },
    ]);
  });

  it('list a volume with one brick and one option', () => {
    const volume =
      '<volume><name>v1</name><id>i</id><statusStr>Stopped</statusStr><replicaCount>1</replicaCount>' +
      '<arbiterCount>0</arbiterCount><redundancyCount>0</redundancyCount><typeStr>Distribute</typeStr>' +
      '<disperseCount>0</disperseCount><bricks><brick uuid="u">h:/p<name>h:/p</name><hostUuid>u</hostUuid></brick></bricks>' +
      '<options><option><name>user.brickyard.id</name><value>007</value></option></options></volume>';
    expect(volumesIn(bodyOf(`<volInfo><volumes>${volume}<count>1</count></volumes></volInfo>`))).toEqual([
      {
        name: 'v1',
        uuid: 'i',
        status: 'stopped',
        perSet: 1,
        bricks: [{ name: 'h:/p', hostUuid: 'u' }],
        options: { 'user.brickyard.id': '007' },
        shape: { type: 'Distribute', replica: 1, arbiter: 0, disperse: 0, redundancy: 0 },
      },
    ]);
    expect(volumesIn(bodyOf('<volInfo><volumes><count>0</count></volumes></volInfo>'))).toEqual([]);
  });

  it('count what is to be healed only when every brick was asked', () => {
    const up =
      '<brick><status>Connected</status><numberOfEntriesInHealPending>2</numberOfEntriesInHealPending></brick>';
    const down =
      '<brick><status>Transport endpoint is not connected</status><numberOfEntries>-</numberOfEntries></brick>';
    expect(healPendingIn(bodyOf(`<healInfo><bricks>${up}${up}</bricks></healInfo>`))).toBe(4);
    expect(healPendingIn(bodyOf(`<healInfo><bricks>${up}${down}</bricks></healInfo>`))).toBeUndefined();
  });

  it('say how far a migration is, and that failures spoil it', () => {
    const progress = (status: number, failures: number): string =>
      `<volRemoveBrick><node><failures>${String(failures)}</failures></node>` +
      `<aggregate><status>${String(status)}</status><statusStr>s</statusStr></aggregate></volRemoveBrick>`;
    expect(migrationIn(bodyOf(progress(1, 0)))).toEqual({ kind: 'running' });
    expect(migrationIn(bodyOf(progress(3, 0)))).toEqual({ kind: 'completed' });
    expect(migrationIn(bodyOf(progress(3, 2)))).toEqual({ kind: 'failed', message: '2 files failed' });
    expect(migrationIn(bodyOf('<volRemoveBrick/>'))).toEqual({ kind: 'none' });
  });

  it("name this host's bricks that should be served and are not", () => {
    const state = [
      'Volume1.name: v1',
      'Volume1.status: Started',
      'Volume1.Brick1.path: 10.0.0.1:/b/1',
      'Volume1.Brick1.status: Stopped',
      'Volume1.Brick2.path: 10.0.0.2:/b/1',
      'Volume1.Brick3.path: 10.0.0.1:/b/2',
      'Volume1.Brick3.status: Started',
      'Volume2.name: v2',
      'Volume2.status: Stopped',
      'Volume2.Brick1.path: 10.0.0.1:/b/3',
      'Volume2.Brick1.status: Stopped',
    ].join('\n');
    expect(idleBricksIn(state)).toEqual(new Map([['v1', ['/b/1']]]));
  });
});
