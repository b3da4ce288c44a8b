import { document, parseXml } from './xml';

describe('parseXml', () => {
  it('reads elements, attributes, entities and namespaces', () => {
    const root = parseXml(
      '\ufeff<?xml version="1.0"?>\n<!-- x --><s3:Delete xmlns:s3="http://x/"><Quiet>true</Quiet>' +
        "<Object><Key a='1'>a&amp;b&#x20;&#252;</Key></Object><Object/></s3:Delete>\n",
      'Delete',
    );
    expect(root.value('Quiet')).toBe('true');
    expect(root.all('Object').map((one) => one.value('Key'))).toEqual(['a&b ü', undefined]);
  });

  it.each([
    ['another root', '<Other></Other>'],
    ['no end', '<Delete><Object>'],
    ['a wrong end', '<Delete><Object></Delete></Object>'],
    ['two roots', '<Delete/><Delete/>'],
    ['a document type', '<!DOCTYPE d [<!ENTITY x "y">]><Delete>&x;</Delete>'],
    ['an entity of its own', '<Delete>&x;</Delete>'],
    ['half a character', '<Delete>&#xD800;</Delete>'],
    ['text around', 'x<Delete/>'],
    ['nothing', ''],
    ['too much depth', `${'<Delete>'.repeat(20)}${'</Delete>'.repeat(20)}`],
  ])('refuses %s', (_, text) => {
    expect(() => parseXml(text, 'Delete')).toThrow(expect.objectContaining({ code: 'MalformedXML' }) as Error);
  });
});

describe('document', () => {
  it('escapes what would be markup, and leaves out what is not there', () => {
    expect(
      document('A', [
        ['B', '<&>"\r\u0001'],
        ['C', undefined],
        ['D x="1"', 2],
      ]),
    ).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<B>&lt;&amp;&gt;&quot;&#xd;&#x1;</B><D x="1">2</D></A>',
    );
  });
});
