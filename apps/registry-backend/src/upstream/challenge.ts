/** What a registry that answers 401 wants: RFC 9110, section 11.6.1, and the token protocol of registries. */

export type Challenge =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | undefined };

const PARAMETER = /([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gy;
const SCHEME = /[,\s]*([A-Za-z][A-Za-z0-9-]*)(?=[\s,]|$)\s*/y;

/** The challenges of a `WWW-Authenticate` header that can be met, in its order. */
export function challengesIn(header: string | undefined): readonly Challenge[] {
  const found: Challenge[] = [];
  const text = header ?? '';
  for (let at = 0; at < text.length;) {
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
    if (scheme === undefined) break;
    at = SCHEME.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      PARAMETER.lastIndex = at;
      const match = PARAMETER.exec(text);
      if (match === null) break;
      at = PARAMETER.lastIndex;
      parameters.set((match[1] ?? '').toLowerCase(), match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3] ?? '');
      const comma = /\s*,\s*(?=[A-Za-z0-9_-]+\s*=)/y;
      comma.lastIndex = at;
      if (comma.test(text)) at = comma.lastIndex;
    }
    const realm = parameters.get('realm');
    if (scheme === 'basic') found.push({ kind: 'basic' });
    if (scheme === 'bearer' && realm !== undefined) {
      found.push({ kind: 'bearer', realm, service: parameters.get('service') });
    }
  }
  return found;
}
