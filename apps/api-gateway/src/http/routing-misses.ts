/** What a request gets that no route answers. Pure: the routes are told by the server as they are registered. */

/** One registered route. */
export interface KnownRoute {
  readonly method: string;
  /** As Fastify spells it: `/volumes/:id(^[A-Fa-f0-9]+$)`. */
  readonly url: string;
}

/** How to answer a miss. */
export type Miss =
  | { readonly kind: 'not-found' }
  | { readonly kind: 'method-not-allowed' }
  | { readonly kind: 'moved'; readonly path: string };

/** Decides on misses among these routes. */
export function missesOf(routes: readonly KnownRoute[]): (method: string, path: string) => Miss {
  const known = routes.map(({ method, url }) => ({ method, pattern: patternOf(url) }));
  const methodsOf = (path: string): string[] =>
    known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  return (method, path) => {
    const isTrailing = path.length > 1 && path.endsWith('/');
    const methods = methodsOf(isTrailing ? path.slice(0, -1) : path);
    if (methods.length === 0) return { kind: 'not-found' };
    if (!methods.includes(method)) return { kind: 'method-not-allowed' };
    return isTrailing ? { kind: 'moved', path: path.slice(0, -1) } : { kind: 'not-found' };
  };
}

/** A parameter takes what its own pattern in parentheses takes, or one segment of a path. */
function patternOf(url: string): RegExp {
  const source = url.replace(/:[A-Za-z]+(\(\^(.*?)\$\))?/g, (_whole, _group, pattern: string | undefined) =>
    pattern === undefined ? '[^/]+' : `(?:${pattern})`,
  );
  return new RegExp(`^${source}$`);
}
