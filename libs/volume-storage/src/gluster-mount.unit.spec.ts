import { mountArguments } from './gluster-mount';

const volume = (device: string, options: Record<string, string>) => ({
  id: 'abc',
  name: 'registry',
  size: 1,
  mount: { glusterfs: { hosts: ['10.0.0.2'], device, options } },
});

describe('mountArguments', () => {
  it('names the backup servers of the volume', () => {
    const options = { 'backup-volfile-servers': '10.0.0.4,10.0.0.5' };
    expect(mountArguments(volume('10.0.0.2:registry', options), '/srv/images')).toEqual([
      '-t',
      'glusterfs',
      '-o',
      'backup-volfile-servers=10.0.0.4:10.0.0.5,attribute-timeout=0,entry-timeout=0,negative-timeout=0,log-level=WARNING',
      '10.0.0.2:registry',
      '/srv/images',
    ]);
    expect(mountArguments(volume('10.0.0.2:registry', { 'backup-volfile-servers': '' }), '/m')).toContain(
      'attribute-timeout=0,entry-timeout=0,negative-timeout=0,log-level=WARNING',
    );
  });

  it('refuses answers that would smuggle in another option', () => {
    expect(() => mountArguments(volume('10.0.0.2:registry', { acl: 'x,exec' }), '/m')).toThrow(/cannot be mounted/);
    expect(() => mountArguments(volume('--bind', {}), '/m')).toThrow(/cannot be mounted/);
    expect(() => mountArguments(volume('10.0.0.2:a b', {}), '/m')).toThrow(/cannot be mounted/);
  });
});
