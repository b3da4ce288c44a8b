/** An upload in parts begins, or is given up. */
import { algorithmNamed } from '../../body/checksums';
import type { Gateway } from '../../gateway';
import type { Exchange } from '../../http/exchange';
import { document } from '../../http/xml';
import { S3Error } from '../../s3-error';
import type { Checksum } from '../../store/record';
import { abortUpload, beginUpload, type Upload } from '../../store/uploads';
import { descriptionFrom } from '../description';

/** Which upload a request is about; one that names none is about none that is there. */
export const uploadIdOf = (exchange: Exchange): string => exchange.query('uploadId') ?? '';

/** `POST /bucket/key?uploads`. */
export async function createUpload({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const description = descriptionFrom(exchange);
  const checksum = wantedChecksum(exchange);
  await storeOf().buckets.require(bucket);
  const upload = { key, initiated: now(), ...description, ...(checksum === undefined ? {} : { checksum }) };
  const id = await beginUpload(storeOf(), bucket, upload);
  exchange.sendXml(
    200,
    document('InitiateMultipartUploadResult', [
      ['Bucket', bucket],
      ['Key', key],
      ['UploadId', id],
    ]),
    checksum === undefined
      ? {}
      : {
          'x-amz-checksum-algorithm': checksum.algorithm.toUpperCase(),
          'x-amz-checksum-type': checksum.type,
        },
  );
}

function wantedChecksum(exchange: Exchange): Upload['checksum'] {
  const name = exchange.header('x-amz-checksum-algorithm');
  if (name === undefined) return undefined;
  const algorithm = algorithmNamed(name);
  if (algorithm === undefined) throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.');
  const usual = algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE';
  const type = exchange.header('x-amz-checksum-type') ?? usual;
  const isPossible = type === 'FULL_OBJECT' ? !algorithm.startsWith('sha') : type === 'COMPOSITE' && usual === type;
  if (isPossible) return { algorithm, type: type as Checksum['type'] };
  throw new S3Error('InvalidRequest', `A checksum of type ${type} is not possible with ${name}.`);
}

/** `DELETE /bucket/key?uploadId`. */
export async function abort({ store }: Gateway, exchange: Exchange): Promise<void> {
  const id = uploadIdOf(exchange);
  await store().inTurn(`upload ${id}`, () => abortUpload(store(), exchange.bucket, exchange.key, id));
  exchange.send(204);
}
