import { BrickId, HostName, VolumeId } from '@brickyard/contracts';
import type { HostCommand } from '../host-command';
import { convergingVolumeDriver } from './converging.volume-driver';
import { glusterCli } from './gluster-cli';

const ORIGIN = VolumeId.parse('a'.repeat(32));
const CLONE = VolumeId.parse('c'.repeat(32));
const BRICK = BrickId.parse('b'.repeat(32));
const PATH = `/var/lib/heketi/mounts/vg_${'d'.repeat(32)}/brick_${BRICK}/brick`;
const CLONE_PATH = `/run/gluster/snaps/${'5'.repeat(32)}/brick1/brick`;
const SNAPSHOT = `tmpsnap_${CLONE}`;

const answer = (body: string, ret = 0, errno = 0, error = ''): string =>
  `<?xml version="1.0"?><cliOutput><opRet>${String(ret)}</opRet><opErrno>${String(errno)}</opErrno>` +
  `<opErrstr>${error}</opErrstr>${body}</cliOutput>`;
const option = ([name, value]: readonly [string, string]): string =>
  `<option><name>${name}</name><value>${value}</value></option>`;
const info = (name: string, path: string, owner: string, status = 'Started'): string =>
  answer(
    `<volInfo><volumes><volume><name>${name}</name><id>u</id><statusStr>${status}</statusStr>` +
      '<replicaCount>1</replicaCount><disperseCount>0</disperseCount>' +
      `<bricks><brick>10.0.0.1:${path}<name>10.0.0.1:${path}</name><hostUuid>h</hostUuid></brick></bricks>` +
      `<options>${['user.brickyard.id', 'user.heketi.id'].map((key) => option([key, owner])).join('')}</options>` +
      '</volume></volumes></volInfo>',
  );
const snapshotInfo = (status: string): string =>
  answer(
    `<snapInfo><count>1</count><snapshots><snapshot><name>${SNAPSHOT}</name><volCount>1</volCount>` +
      `<snapVolume><name>x</name><status>${status}</status></snapVolume></snapshot></snapshots></snapInfo>`,
  );

/** A Gluster with one volume that does what it is told, and the commands that changed it. */
function gluster(): { readonly run: HostCommand; readonly changes: string[] } {
  const changes: string[] = [];
  let snapshot: string | undefined;
  let cloneOwner: string | undefined;
  const read = (words: string): string | undefined => {
    if (words === 'volume info data') return info('data', PATH, ORIGIN);
    if (words === 'volume info copy') {
      return cloneOwner === undefined
        ? answer('', -1, 30806, 'Volume copy does not exist')
        : info('copy', CLONE_PATH, cloneOwner, 'Created');
    }
    if (words !== `snapshot info ${SNAPSHOT}`) return undefined;
    return snapshot === undefined ? answer('', -1, 30807, 'Snapshot does not exist') : snapshotInfo(snapshot);
  };
  const run: HostCommand = (argv) => {
    const words = argv.slice(4).join(' ');
    let out = read(words);
    if (out === undefined) {
      changes.push(words);
      if (words.startsWith('snapshot create')) snapshot = 'Stopped';
      if (words.startsWith('snapshot activate')) snapshot = 'Started';
      if (words.startsWith('snapshot clone')) cloneOwner = ORIGIN;
      if (words.startsWith('volume set')) cloneOwner = CLONE;
      if (words.startsWith('snapshot delete')) snapshot = undefined;
      out = answer('');
    }
    return Promise.resolve({ argv, exit: 0, out, err: '' });
  };
  return { run, changes };
}

describe('a clone, in the words of the gluster command', () => {
  it('is a snapshot that is activated, cloned and deleted; last the clone gets an owner of its own', async () => {
    const { run, changes } = gluster();
    const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }));
    const cloning = {
      clone: { volumeId: CLONE, name: 'copy' },
      origin: { volumeId: ORIGIN, name: 'data' },
      bricks: [{ brickId: BRICK, host: HostName.parse('10.0.0.1'), path: PATH }],
      snapshot: SNAPSHOT,
    };
    expect(await driver.ensureCloned(cloning)).toMatchObject({
      ok: true,
      result: { kind: 'clone', paths: [CLONE_PATH], options: { 'user.brickyard.id': CLONE } },
    });
    expect(changes).toEqual([
      `snapshot create ${SNAPSHOT} data no-timestamp`,
      `snapshot activate ${SNAPSHOT}`,
      `snapshot clone copy ${SNAPSHOT}`,
      `snapshot delete ${SNAPSHOT}`,
      `volume set copy user.brickyard.id ${CLONE} user.heketi.id ${CLONE}`,
    ]);
    changes.splice(0);
    expect(await driver.ensureCloned(cloning)).toMatchObject({ ok: true });
    expect(changes).toEqual([]);
  });
});
