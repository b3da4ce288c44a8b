import 'reflect-metadata';
import { openApiDocument } from '@brickyard/contracts';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { ApiGatewayModule, type GatewayParts } from '../api-gateway.module';
import { docsPage } from './docs.page';

const METHODS: Partial<Record<RequestMethod, string>> = {
  [RequestMethod.GET]: 'get',
  [RequestMethod.POST]: 'post',
  [RequestMethod.DELETE]: 'delete',
};

type Handlers = Readonly<Record<string, object>>;

/** What the controllers answer, as the description spells it. */
function servedRoutes(): readonly string[] {
  const parts: Partial<GatewayParts> = {};
  const { controllers = [] } = ApiGatewayModule.around(parts as GatewayParts);
  return controllers.flatMap((controller) => {
    const base = String(Reflect.getMetadata(PATH_METADATA, controller) ?? '');
    const handlers = controller.prototype as Handlers;
    return Object.getOwnPropertyNames(handlers).flatMap((name) => {
      const handler = handlers[name];
      const method =
        handler === undefined ? undefined : (Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod);
      if (handler === undefined || method === undefined) return [];
      const path = `/${base}/${String(Reflect.getMetadata(PATH_METADATA, handler))}`;
      const spelt = path
        .replace(/:(\w+)(\([^)]*\))?/g, '{$1}')
        .replace(/\/+/g, '/')
        .replace(/(.)\/$/, '$1');
      return [`${METHODS[method] ?? '?'} ${spelt}`];
    });
  });
}

describe('the description of the API', () => {
  const described = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );

  it('has every route that is served', () => {
    expect(servedRoutes().filter((route) => !described.includes(route))).toEqual([]);
  });

  it('has no route that is not served', () => {
    expect(described.filter((route) => !servedRoutes().includes(route))).toEqual([]);
  });

  it('is a page that asks nobody else for anything', () => {
    const page = docsPage(openApiDocument());
    expect(page).not.toMatch(/<script|<link|src=|@import|https?:\/\//);
    expect(page).toContain('<code>/volumes/{id}/expand</code>');
  });
});
