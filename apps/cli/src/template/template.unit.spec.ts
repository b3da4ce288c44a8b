import { parseTemplate } from './parse';
import { fillTemplate } from './run';

const data = {
  Name: 'one',
  Size: 2_097_152,
  On: true,
  None: [],
  List: [
    { Id: 'a', Size: 1 },
    { Id: 'b', Size: 2 },
  ],
  Words: ['x', 'y'],
  Tags: new Map([
    ['rack', 'r1'],
    ['tier', 'gold'],
  ]),
};

describe('a template in the language of Go', () => {
  it.each([
    ['plain { } text', 'plain { } text'],
    ['{{.Name}}', 'one'],
    ['a {{- " b " -}} c', 'a b c'],
    ['a{{/* said {{ to nobody */}}b', 'ab'],
    ['{{range .List}}{{.Id}};{{end}}', 'a;b;'],
    ['{{range $i, $one := .List}}{{$i}}{{$one.Id}}{{$.Name}} {{end}}', '0aone 1bone '],
    ['{{range $k, $v := .Tags}}{{$k}}={{$v}},{{end}}', 'rack=r1,tier=gold,'],
    ['{{range .None}}x{{else}}none{{end}}', 'none'],
    ['{{if .None}}x{{else if eq .Name "two" "one"}}y{{else}}z{{end}}', 'y'],
    ['{{if and .On (gt .Size 1)}}y{{end}}', 'y'],
    ['{{if not .On}}x{{end}}', ''],
    ['{{with .Tags.rack}}{{.}}{{else}}none{{end}}', 'r1'],
    ['{{with .Tags.other}}{{.}}{{else}}none{{end}}', 'none'],
    ['{{.Tags.other}}', '<no value>'],
    ['{{.Tags}} {{.Words}}', 'map[rack:r1 tier:gold] [x y]'],
    ['{{$n := 0}}{{range .List}}{{$n = .Size}}{{end}}{{$n}}', '2'],
    ['{{.Name | printf "%-5v|%5s|" "l"}}', 'l    |  one|'],
    ['{{printf "%.2f %03d %q %%" 1.5 7 "a"}}', '1.50 007 "a" %'],
    ['{{kibToGib .Size | printf "%-4v"}}|', '2   |'],
    ['{{join .Words ", "}} {{len .List}} {{index .Words 1}} {{(index .List 0).Id}}', 'x, y 2 y a'],
    ['{{println "a" 1}}{{`raw\\n`}}{{"\\t\\""}}', 'a 1\nraw\\n\t"'],
    ['{{"}}"}}', '}}'],
  ])('%j', (template, wanted) => {
    expect(fillTemplate(template, data)).toBe(wanted);
  });

  it.each([
    ['{{.Name', 'an action is not closed'],
    ['{{if .On}}', 'an {{end}} is missing'],
    ['{{end}}', '{{end}} without a beginning'],
    ['{{}}', 'a value is missing'],
    ['{{.Name | }}', 'a value is missing'],
    ['{{(.Name}}', 'a parenthesis is not closed'],
    ['{{.Name)}}', '")" is not understood in {{.Name)}}'],
    ['{{?}}', '"?" is not understood'],
    ['{{constructor}}', 'function "constructor" not defined'],
    ['{{.Nothing}}', "can't evaluate field Nothing"],
    ['{{.constructor}}', "can't evaluate field constructor"],
    ['{{$x}}', 'undefined variable "$x"'],
    ['{{range .Name}}{{end}}', 'range cannot go over one'],
    ['{{index .Words 9}}', 'index out of range: 9'],
    ['{{.Name 1}}', 'a value that is no function was given arguments'],
  ])('%j is refused: %s', (template, problem) => {
    expect(() => fillTemplate(template, data)).toThrow(`template: ${problem}`);
  });

  it('is read in a moment whatever it is', () => {
    for (const piece of ['{{"', '{{(', '{{if .On}}', '{{/*', '{{- ']) {
      expect(() => parseTemplate(piece.repeat(2_000))).toThrow('template: ');
    }
  });
});
