/**
 * Objects that are sent in parts. Each upload has a folder with what is known of it, its parts and their bytes; when it is
 * complete, that folder becomes the place where the bytes of the object lie: nothing is copied.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { guarded, guardedWrite, syncFolder } from '@brickyard/volume-storage';
import { z } from 'zod';
import { S3Error } from '../s3-error';
import { codeOf, writeDurably } from './durable-file';
import { mapLimited } from './limited';
import { dataFolderOf, type ObjectStore } from './object-store';
import { newId, Description, type Segment } from './record';

const UPLOAD_FILE = 'upload.json';
const PART = /^part-(\d{5})\.json$/;
const READS_AT_ONCE = 16;
/** They happen after the answer and must leave threads to those who wait. */
const REMOVALS_AT_ONCE = 4;
export const PARTS_MAX = 10_000;

const Algorithm = z.enum(['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256']);

const UploadFile = Description.extend({
  version: z.literal(1),
  key: z.string(),
  initiated: z.int(),
  checksum: z.object({ algorithm: Algorithm, type: z.enum(['FULL_OBJECT', 'COMPOSITE']) }).optional(),
});
export type Upload = Omit<z.infer<typeof UploadFile>, 'version'> & { readonly id: string };

const PartFile = z.object({
  number: z.int().min(1).max(PARTS_MAX),
  size: z.int().min(0),
  etag: z.string(),
  modified: z.int(),
  checksum: z.object({ algorithm: Algorithm, value: z.string() }).optional(),
  /** Names within the folder of the upload. */
  segments: z.array(z.object({ file: z.string(), offset: z.int(), length: z.int() })),
});
export type Part = z.infer<typeof PartFile>;

export const uploadFolderOf = (id: string): string => `uploads/${id}`;
export const newPartName = (): string => `${newId().slice(0, 16)}.data`;

const noSuchUpload = (id: string): S3Error =>
  new S3Error('NoSuchUpload', 'There is no such upload: it was completed, aborted, or never begun.', {
    fields: { UploadId: id },
  });

/** Begins an upload. */
export async function beginUpload(store: ObjectStore, bucket: string, upload: Omit<Upload, 'id'>): Promise<string> {
  const id = newId();
  await guardedWrite('make', 'an upload', async () => {
    const base = store.pathIn(bucket, uploadFolderOf(id));
    await mkdir(base);
    const bytes = Buffer.from(`${JSON.stringify({ version: 1, ...upload })}\n`);
    await writeDurably({ base, folders: [], file: UPLOAD_FILE }, bytes);
    await syncFolder(store.pathIn(bucket, 'uploads'));
  });
  return id;
}

/** An upload that is open for parts; refuses one that is not, or of another key. */
export async function uploadOf(store: ObjectStore, bucket: string, key: string, id: string): Promise<Upload> {
  const upload = await readUpload(store, bucket, uploadFolderOf(checkedId(id)), id);
  if (upload?.key === key) return upload;
  await store.buckets.require(bucket);
  throw noSuchUpload(id);
}

/** An upload that may be completed, and the folder it is in: completion may have begun before. */
export async function completableOf(
  store: ObjectStore,
  bucket: string,
  key: string,
  id: string,
): Promise<{ readonly upload: Upload; readonly folder: string } | undefined> {
  for (const folder of [uploadFolderOf(checkedId(id)), dataFolderOf(id)]) {
    const upload = await readUpload(store, bucket, folder, id);
    if (upload?.key === key) return { upload, folder };
  }
  return undefined;
}

function checkedId(id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  throw noSuchUpload(id);
}

async function readUpload(store: ObjectStore, bucket: string, folder: string, id: string): Promise<Upload | undefined> {
  const path = join(store.pathIn(bucket, folder), UPLOAD_FILE);
  try {
    const { version: _, ...upload } = UploadFile.parse(
      JSON.parse(await guarded('read', 'an upload', () => readFile(path, 'utf8'))),
    );
    return { ...upload, id };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const partName = (number: number): string => `part-${String(number).padStart(5, '0')}.json`;

/** Makes bytes that are durable a part; those of an earlier part of the number go. */
export async function addPart(store: ObjectStore, bucket: string, { id, key }: Upload, part: Part): Promise<void> {
  await store.inTurn(`part ${id} ${String(part.number)}`, async () => {
    const base = store.pathIn(bucket, uploadFolderOf(id));
    const before = await readPart(join(base, partName(part.number)));
    try {
      await guarded('publish', 'a part', () =>
        writeDurably({ base, folders: [], file: partName(part.number) }, Buffer.from(`${JSON.stringify(part)}\n`)),
      );
    } catch (error) {
      if (codeOf(error) === 'ENOENT') await uploadOf(store, bucket, key, id); // Says what is not there any more.
      throw error;
    }
    const names = new Set((before?.segments ?? []).map(({ file }) => file));
    store.inBackground(Promise.all([...names].map((name) => rm(join(base, name), { force: true }))));
  });
}

async function readPart(path: string): Promise<Part | undefined> {
  try {
    return PartFile.parse(JSON.parse(await guarded('read', 'a part', () => readFile(path, 'utf8'))));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The parts of an upload in order. */
export async function partsOf(store: ObjectStore, bucket: string, folder: string): Promise<readonly Part[]> {
  const base = store.pathIn(bucket, folder);
  const names = (await guarded('list', 'parts', () => readdir(base))).filter((name) => PART.test(name)).sort();
  const parts = await mapLimited(names, READS_AT_ONCE, (name) => readPart(join(base, name)));
  return parts.filter((part) => part !== undefined);
}

/** Moves the folder of an upload to where the bytes of objects lie. */
export async function becomeData(store: ObjectStore, bucket: string, id: string, folder: string): Promise<void> {
  if (folder !== dataFolderOf(id)) await store.moveFolder(bucket, folder, dataFolderOf(id));
}

/** Takes that back. */
export async function becomeUpload(store: ObjectStore, bucket: string, id: string): Promise<void> {
  await store.moveFolder(bucket, dataFolderOf(id), uploadFolderOf(id));
}

/** The segments of parts, as seen from the bucket. */
export const segmentsIn = (id: string, parts: readonly Part[]): readonly Segment[] =>
  parts.flatMap(({ segments }) =>
    segments.map((segment) => ({ ...segment, file: `${dataFolderOf(id)}/${segment.file}` })),
  );

/** Removes what was only of use to the upload. */
export async function tidyUpload(store: ObjectStore, bucket: string, id: string, used: readonly Part[]): Promise<void> {
  const base = store.pathIn(bucket, dataFolderOf(id));
  const kept = new Set(used.flatMap(({ segments }) => segments.map(({ file }) => file)));
  await rm(join(base, UPLOAD_FILE), { force: true }); // First: without its parts it must not be completed again.
  const names = (await readdir(base)).filter((name) => !kept.has(name));
  await mapLimited(names, REMOVALS_AT_ONCE, (name) => rm(join(base, name), { force: true }));
}

/** Ends an upload and removes its parts. One that is being completed is none any more. */
export async function abortUpload(store: ObjectStore, bucket: string, key: string, id: string): Promise<void> {
  await uploadOf(store, bucket, key, id);
  try {
    await guarded('remove', 'an upload', () => store.dropFolder(bucket, uploadFolderOf(id)));
  } catch (error) {
    throw codeOf(error) === 'ENOENT' ? noSuchUpload(id) : error;
  }
}

/** The open uploads of a bucket, by key and age. */
export async function uploadsOf(store: ObjectStore, bucket: string): Promise<readonly Upload[]> {
  const ids = await guarded('list', 'uploads', () => readdir(store.pathIn(bucket, 'uploads')));
  const uploads = await mapLimited(ids, READS_AT_ONCE, (id) => readUpload(store, bucket, uploadFolderOf(id), id));
  return uploads.filter((upload) => upload !== undefined);
}

/** When an upload was last added to. */
export async function touchedAt(store: ObjectStore, bucket: string, id: string): Promise<number> {
  const { mtimeMs, ctimeMs } = await stat(store.pathIn(bucket, uploadFolderOf(id)));
  return Math.max(mtimeMs, ctimeMs);
}
