/** Writes a package.json with the compiler and the types that the sources need, as the workspace names them. */
import { readFileSync, writeFileSync } from 'node:fs';

const WANTED = /^(typescript-7|@types\/(node|pg|jsonwebtoken))$/;
const packages = ['package.json', 'libs/service-host/package.json'].map((path) =>
  JSON.parse(readFileSync(path, 'utf8')),
);
const versions = packages.flatMap(({ devDependencies = {} }) => Object.entries(devDependencies));
const dependencies = Object.fromEntries(versions.filter(([name]) => WANTED.test(name)));
writeFileSync(process.argv[2], JSON.stringify({ private: true, dependencies }));
