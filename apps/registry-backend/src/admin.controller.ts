/** What an operator asks of a registry beyond the protocol: history, upkeep, the switch for writes, moving in and out. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Actor, RepositoryName, Tag } from '@brickyard/contracts';
import { Body, Controller, Get, Headers, HttpException, Inject, Ip, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { SERVICE } from './health.controller';
import { ociErrorFrom } from './http/oci-error';
import type { Origin } from './facts/registry-facts';
import type { RegistryService, Serving } from './service';

const Writes = z.strictObject({ isReadOnly: z.boolean(), reason: z.string().max(500).default('') });
const Folder = z.strictObject({ folder: z.string().startsWith('/') });
const LIMIT_MAX = 1_000;
/** Seconds; no text is not 0, which would take what a push is about to need. */
const Grace = z.string().regex(/^\d{1,9}$/, 'grace must be a whole number of seconds');

/** Every route asks for the key of the API's user `admin`, by Basic authentication. */
@Controller('v1/registry')
export class AdminController {
  constructor(@Inject(SERVICE) private readonly service: RegistryService) {}

  @Get('history')
  history(
    @Headers('authorization') given: string | undefined,
    @Query('repository') repository: string,
    @Query('tag') tag: string | undefined,
    @Query('limit') limit: string | undefined,
  ): Promise<unknown> {
    return this.serving(given, '', async ({ past }) => {
      const name = RepositoryName.parse(repository);
      const wanted = tag === undefined ? undefined : Tag.parse(tag);
      const events = (await past.history(name)).filter(({ data }) => wanted === undefined || data['tag'] === wanted);
      const count = Math.min(LIMIT_MAX, limit === undefined ? 100 : z.coerce.number().int().min(1).parse(limit));
      const told = events.slice(-count).map(({ position, recordedAt, type, metadata, data }) => ({
        position,
        time: recordedAt,
        type,
        actor: metadata.actor,
        data,
      }));
      return { repository: name, events: told };
    });
  }

  @Post('gc')
  collect(
    @Headers('authorization') given: string | undefined,
    @Ip() address: string,
    @Query('dry-run') dryRun: string | undefined,
    @Query('grace') grace: string | undefined,
  ): Promise<unknown> {
    return this.serving(given, address, ({ upkeep }, origin) => {
      const graceMs = grace === undefined ? undefined : Number(Grace.parse(grace)) * 1_000;
      return isOn(dryRun)
        ? { wouldTake: upkeep.preview(graceMs) }
        : upkeep.collect(origin, graceMs).then(named('taken'));
    });
  }

  @Post('retention')
  retain(
    @Headers('authorization') given: string | undefined,
    @Ip() address: string,
    @Query('dry-run') dryRun: string | undefined,
  ): Promise<unknown> {
    return this.serving(given, address, ({ upkeep }, origin) =>
      isOn(dryRun) ? { wouldTake: upkeep.previewRetention() } : upkeep.applyRetention(origin).then(named('taken')),
    );
  }

  @Post('scrub')
  scrub(@Headers('authorization') given: string | undefined): Promise<unknown> {
    return this.serving(given, '', ({ upkeep }) => upkeep.scrub().then(named('bad')));
  }

  @Post('writes')
  writes(
    @Headers('authorization') given: string | undefined,
    @Ip() address: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    return this.serving(given, address, ({ facts }, origin) =>
      facts.submit({ type: 'SwitchWrites', ...Writes.parse(body) }, origin),
    );
  }

  @Post('rebuild')
  rebuild(
    @Headers('authorization') given: string | undefined,
    @Ip() address: string,
    @Query('dry-run') dryRun: string | undefined,
  ): Promise<unknown> {
    return this.serving(given, address, ({ rebuild }, origin) => rebuild(isOn(dryRun), origin));
  }

  @Post('import')
  import(
    @Headers('authorization') given: string | undefined,
    @Ip() address: string,
    @Body() body: unknown,
  ): Promise<unknown> {
    return this.serving(given, address, ({ importFrom }, origin) => importFrom(Folder.parse(body).folder, origin));
  }

  @Post('export')
  export(@Headers('authorization') given: string | undefined, @Body() body: unknown): Promise<unknown> {
    return this.serving(given, '', ({ exportTo }) => exportTo(Folder.parse(body).folder));
  }

  private async serving(
    given: string | undefined,
    address: string,
    work: (serving: Serving, origin: Origin) => unknown,
  ): Promise<unknown> {
    const { serving, adminKey } = this.service;
    if (adminKey === undefined || adminKey === '' || !isAdmin(given, adminKey)) {
      throw new HttpException({ error: 'the key of user admin is needed, by Basic authentication' }, 401);
    }
    if (serving === undefined) throw new HttpException({ error: 'this registry has no log' }, 503);
    const actor: Actor = { name: 'admin', role: 'admin', ...(address === '' ? {} : { address }) };
    try {
      return await work(serving, { actor, correlationId: `admin-${String(Date.now())}` });
    } catch (error) {
      if (error instanceof z.ZodError) {
        throw new HttpException({ error: error.issues.map(({ message }) => message).join('; ') }, 400);
      }
      const { status, message, cause } = ociErrorFrom(error);
      const detail = cause instanceof Error ? cause.message : undefined;
      throw new HttpException({ error: message, ...(detail === undefined ? {} : { detail }) }, status);
    }
  }
}

const isOn = (text: string | undefined): boolean => text !== undefined && text !== '0' && text !== 'false';
const named =
  (name: string) =>
  (value: unknown): Record<string, unknown> => ({ [name]: value });

/** Compares digests, so that the time tells nothing of the key. */
function isAdmin(given: string | undefined, key: string): boolean {
  const hashed = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = `Basic ${Buffer.from(`admin:${key}`).toString('base64')}`;
  return timingSafeEqual(hashed(given ?? ''), hashed(wanted));
}
