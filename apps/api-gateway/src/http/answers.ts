/** How answers are written: headers and bodies exactly as heketi's. */
import type { FastifyReply } from 'fastify';
import { goJson } from '../heketi/go-json';

/** Tells every client of which position of the log an answer is. */
export const POSITION_HEADER = 'x-brickyard-position';
/** Tells a refused client why, and the smallest change that would have helped; one line of ASCII. */
export const REMEDY_HEADER = 'x-brickyard-remedy';

/** Tells a refused client what `/v1/explain/refusals/` takes. */
export const REFUSAL_HEADER = 'x-brickyard-refusal';

const JSON_TYPE = 'application/json; charset=UTF-8';
const HTML_TYPE = 'text/html; charset=utf-8';
const REMEDY_LENGTH_MAX = 1_000;
const REASONS: Readonly<Record<301 | 303, string>> = { 301: 'Moved Permanently', 303: 'See Other' };

/** A JSON document. */
export function sendJson(reply: FastifyReply, status: number, value: unknown): void {
  void reply.code(status).header('content-type', JSON_TYPE).send(goJson(value));
}

/** A status that says it all. */
export function sendEmpty(reply: FastifyReply, status: number): void {
  void reply.code(status).send();
}

/** 200 with the content type of JSON and nothing in it: heketi's answer to a change of flags. */
export function sendEmptyJson(reply: FastifyReply): void {
  void reply.code(200).header('content-type', JSON_TYPE).send();
}

/** Work has begun; the location tells how it goes. Relative, since clients put it behind their base URL. */
export function sendAccepted(reply: FastifyReply, operationId: string): void {
  void reply.code(202).header('location', `/queue/${operationId}`).send();
}

/** The same for a GET that begins work: Go adds a link to click on. */
export function sendAcceptedLink(reply: FastifyReply, operationId: string): void {
  const location = `/queue/${operationId}`;
  void reply.code(202).header('location', location).header('content-type', HTML_TYPE);
  void reply.send(`<a href="${location}">Accepted</a>.\n\n`);
}

/** A JSON document for people: indented by four. */
export function sendIndentedJson(reply: FastifyReply, value: unknown): void {
  void reply.code(200).header('content-type', JSON_TYPE).send(goJson(value, 4));
}

/** An error as heketi words it: always plain text. */
export function sendText(reply: FastifyReply, status: number, text: string): void {
  void reply
    .code(status)
    .header('content-type', 'text/plain; charset=utf-8')
    .header('x-content-type-options', 'nosniff')
    .send(`${text}\n`);
}

/** A redirect as Go writes it: GET gets a link to click on. */
export function sendRedirect(reply: FastifyReply, status: 301 | 303, location: string, isGet: boolean): void {
  void reply.code(status).header('location', location);
  if (!isGet) {
    void reply.send();
    return;
  }
  void reply.header('content-type', HTML_TYPE).send(`<a href="${htmlSafe(location)}">${REASONS[status]}</a>.\n\n`);
}

/** A text as one line that a header can carry. */
export function remedyHeader(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/[^\x20-\x7e]/g, '?');
  return line.length > REMEDY_LENGTH_MAX ? `${line.slice(0, REMEDY_LENGTH_MAX - 3)}...` : line;
}

function htmlSafe(text: string): string {
  const safe: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => safe[char] ?? char);
}
