import { startOptionsFrom, WrongOption } from './start-options';

const noFile = (): undefined => undefined;

describe('npm start', () => {
  it('reads every option', () => {
    const argv =
      '--hosts simulated --nodes 5 --port 0 --data /srv/x --fresh --device-size 2TiB --faults /f.json --objects'.split(
        ' ',
      );
    expect(startOptionsFrom(argv, noFile)).toMatchObject({
      hosts: 'simulated',
      nodes: 5,
      port: 0,
      dataDir: '/srv/x',
      fresh: true,
      deviceSizeKib: 2 * 1024 ** 3,
      faultsFile: '/f.json',
      loadTopology: true,
      objects: 1,
    });
  });

  it("takes the port of heketi's file unless another one is asked for", () => {
    const argv = ['--hosts', 'simulated', '--config', '/etc/heketi.json'];
    expect(startOptionsFrom(argv, () => 8888).port).toBe(8888);
    expect(startOptionsFrom([...argv, '--port', '9'], () => 8888).port).toBe(9);
    expect(startOptionsFrom(['--hosts', 'simulated'], noFile).port).toBe(8080);
  });

  it('registers nothing without hosts', () => {
    expect(startOptionsFrom(['--hosts', 'simulated', '--nodes', '0'], noFile)).toMatchObject({
      nodes: 0,
      loadTopology: false,
    });
  });

  it('leaves the hosts to be registered when told so', () => {
    const options = startOptionsFrom(['--hosts', 'simulated', '--nodes', '4', '--unregistered'], noFile);
    expect(options).toMatchObject({ nodes: 4, loadTopology: false });
  });

  it.each([
    ['--nodes', 'three'],
    ['--port', '65536'],
    ['--device-size', '500'],
    ['--device-size', '1GiB'],
    ['--hosts', 'imaginary'],
    ['--colour', 'red'],
  ])('refuses %s %s in one line', (...argv) => {
    const attempt = (): unknown => startOptionsFrom(['--hosts', 'simulated', ...argv], noFile);
    expect(attempt).toThrow(WrongOption);
    expect(attempt).toThrow(/^[^\n]+$/);
  });
});
