/** Everything that ends a request early, as its answer: text on heketi's routes, problem+json on our own. */
import { randomBytes } from 'node:crypto';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { describeError, type Logger } from '@brickyard/service-host';
import { REFUSAL_HEADER, REMEDY_HEADER, remedyHeader, sendText } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import { tellRejection } from './rejection-texts';
import { CommandRejected, TextError } from './text-error';

const RETRY_AFTER_SECONDS = 1;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The last stop of every error. */
@Catch()
export class TextErrorFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<GatewayReply>();
    if (reply.sent) return;
    const { status, text, headers } = this.answerTo(error);
    void reply.headers(headers);
    if (isOurs(http.getRequest<GatewayRequest>())) sendProblem(reply, status, text);
    else sendText(reply, status, text);
  }

  private answerTo(error: unknown): Answer {
    if (error instanceof TextError) return { status: error.status, text: error.message, headers: error.headers };
    if (error instanceof CommandRejected) return answerToRejection(error);
    if (isUnavailable(error)) return answerToTrouble(error);
    if (error instanceof HttpException && error.getStatus() < 500) return answerToBadHttp(error);
    const reference = randomBytes(8).toString('hex');
    this.log.error({ err: error, reference }, 'a request met a defect');
    return { status: 500, text: `internal error; the log tells more under reference ${reference}`, headers: {} };
  }
}

function answerToRejection({ rejection, command, refusalId }: CommandRejected): Answer {
  const { status, text, remedy } = tellRejection(rejection, command);
  const more = remedy === undefined ? {} : { [REMEDY_HEADER]: remedyHeader(remedy) };
  return { status, text, headers: { [REFUSAL_HEADER]: refusalId, ...more } };
}

function answerToTrouble(error: Error & { readonly retryAfterMs?: number }): Answer {
  const seconds = error.retryAfterMs === undefined ? RETRY_AFTER_SECONDS : Math.ceil(error.retryAfterMs / 1_000);
  return {
    status: 503,
    text: `Service unavailable: ${describeTrouble(error)}`,
    headers: { 'retry-after': String(Math.max(1, seconds)) },
  };
}

/** What is away, without addresses and other things that are nobody's business outside. */
function describeTrouble(error: Error): string {
  return error.message.split('\n')[0] ?? describeError(error);
}

/** What the HTTP server itself refuses. */
function answerToBadHttp(error: HttpException): Answer {
  const status = error.getStatus();
  if (status === 413) return { status, text: 'request body too large', headers: {} };
  if (status === 404) return { status, text: 'Invalid path or request', headers: {} };
  return { status, text: error.message, headers: {} };
}

/** Two libraries know this kind of trouble, each by its own class of the same name. */
function isUnavailable(error: unknown): error is Error & { readonly retryAfterMs?: number } {
  return error instanceof Error && error.name === 'Unavailable';
}

const isOurs = (request: GatewayRequest): boolean => request.url.startsWith('/v1/');

function sendProblem(reply: GatewayReply, status: number, detail: string): void {
  void reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify({ type: 'about:blank', status, detail }));
}
