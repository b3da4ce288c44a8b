export { missingServers } from './binaries';
export { dropDatabase, ensureDatabase, freshDatabase, type PostgresAddress } from './databases';
export { eventually } from './eventually';
export { freePort } from './free-port';
export { type NatsOptions, type NatsServer, startNats } from './nats';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres';
export { dyingWithParent } from './server-process';
export { startTestServers, type TestServers } from './test-servers';
