import { targetsIn } from './tgt-show';

const LIST = `Target 17: iqn.2026-01.org.brickyard:aa
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 3
            Initiator: iqn.2008-11.org.linux-kvm alias: none
            Connection: 0
                IP Address: 10.0.0.9
    LUN information:
        LUN: 0
            Type: controller
            Size: 0 MB, Block size: 1
            Online: Yes
            Backing store path: None
        LUN: 1
            Type: disk
            SCSI ID: by-aa
            Size: 1074 MB, Block size: 512
            Online: Yes
            Backing store type: rdwr
            Backing store path: /var/lib/brickyard/hosting/ff/blocks/aa
            Backing store flags: direct
    Account information:
        aa
    ACL information:
        ALL
Target 18: iqn.2026-01.org.brickyard:bb
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
        LUN: 0
            Size: 0 MB, Block size: 1
            Online: Yes
            Backing store path: None
    Account information:
    ACL information:
`;

describe('what tgtadm shows', () => {
  it('is read target by target', () => {
    const [first, second, ...others] = targetsIn(LIST);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ tid: 17, iqn: 'iqn.2026-01.org.brickyard:aa', accounts: ['aa'], acl: ['ALL'] });
    expect(first?.luns).toEqual([
      { lun: 0, path: 'None', sizeMb: 0, isOnline: true },
      { lun: 1, path: '/var/lib/brickyard/hosting/ff/blocks/aa', sizeMb: 1074, isOnline: true },
    ]);
    expect(second).toMatchObject({ tid: 18, accounts: [], acl: [] });
  });

  it('is nothing when nothing is offered', () => {
    expect(targetsIn('')).toEqual([]);
  });
});
