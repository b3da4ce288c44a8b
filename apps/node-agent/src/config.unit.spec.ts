import { ConfigError, readConfig } from '@brickyard/service-host';
import { AgentConfig } from './config';

const base = { BRICKYARD_NATS_URL: 'nats://127.0.0.1:4222', BRICKYARD_AGENT_HOST: 'h1' };

describe("the agent's settings", () => {
  it('are those of a production host when little is said', () => {
    expect(readConfig(AgentConfig, base)).toMatchObject({
      BRICKYARD_BRICK_DRIVER: 'lvm-thin',
      BRICKYARD_VOLUME_DRIVER: 'gluster-cli',
      BRICKYARD_MOUNT_ROOT: '/var/lib/heketi/mounts',
      BRICKYARD_HOST_COMMAND: [],
      BRICKYARD_AGENT_SIMULATED: '0',
    });
    const prefixed = readConfig(AgentConfig, { ...base, BRICKYARD_HOST_COMMAND: 'nsenter --target 1  --mount --' });
    expect(prefixed.BRICKYARD_HOST_COMMAND).toEqual(['nsenter', '--target', '1', '--mount', '--']);
  });

  it.each([
    ['BRICKYARD_NATS_URL', { BRICKYARD_NATS_URL: undefined }],
    ['BRICKYARD_AGENT_HOST', { BRICKYARD_AGENT_HOST: undefined }],
    ['BRICKYARD_AGENT_HOST', { BRICKYARD_AGENT_HOST: 'not a host' }],
    ['BRICKYARD_BRICK_DRIVER', { BRICKYARD_BRICK_DRIVER: 'floppy' }],
    ['BRICKYARD_MOUNT_ROOT', { BRICKYARD_MOUNT_ROOT: '/mnt/../etc' }],
    ['BRICKYARD_MOUNT_ROOT', { BRICKYARD_MOUNT_ROOT: '/' }],
    ['BRICKYARD_AGENT_DIR', { BRICKYARD_AGENT_DIR: 'state' }],
    ['BRICKYARD_DEVICE_SIZE_KIB', { BRICKYARD_DEVICE_SIZE_KIB: 'big' }],
  ])('are refused for %s', (name, change) => {
    expect(() => readConfig(AgentConfig, { ...base, ...change })).toThrow(ConfigError);
    expect(() => readConfig(AgentConfig, { ...base, ...change })).toThrow(new RegExp(`\\n  ${name}: `));
  });
});
