// Limits what a venue can send through ccxt, which itself reads and decompresses without limits.

import { addAbortSignal, type Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate, gunzipSync, inflateRawSync } from 'node:zlib';
import { isTooDeep } from '@tickbus/capture';
import { brokerSocketOptions } from './broker-socket.ts';
import type { CcxtClient, CcxtExchange, CcxtResponse } from './ccxt-library.ts';

/** Larger than the limit of other feeds, because some venues send the tickers of a whole market in one message. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Messages up to this length are not checked for their depth. */
const UNCHECKED_LENGTH = 64 * 1024;
/** Maximum bytes of an HTTP response after decompression. The market lists of the largest venues have about 20 MB. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
/** Maximum duration of the body of an HTTP response, milliseconds. */
const RESPONSE_TIMEOUT_MS = 60_000;

/**
 * Applies the limits: 4 MiB per WebSocket message, also after decompression; 64 MiB and 60 s per HTTP response. ccxt
 * reports a violation as an error, and the feed then reconnects.
 */
export function limitExchange(exchange: CcxtExchange): void {
  const { ws } = exchange.options;
  const options = { ...ws?.options, ...brokerSocketOptions(), maxPayload: MAX_MESSAGE_BYTES };
  exchange.options.ws = { ...ws, options };
  exchange.undiciBody = readBody;
  const limited = new WeakSet<CcxtClient>();
  const createClient = exchange.client.bind(exchange);
  exchange.client = (url) => {
    const client = createClient(url);
    if (!limited.has(client)) limitClient(client);
    limited.add(client);
    return client;
  };
}

/**
 * Decompresses messages with a size limit; ccxt then receives text, which it does not decompress. Rejects deeply nested
 * text, which takes seconds to parse.
 */
function limitClient(client: CcxtClient): void {
  const onMessage = client.onMessage.bind(client);
  client.onMessage = ({ data }) => {
    const decompress = client.gunzip ? gunzipSync : client.inflate ? inflateRawSync : undefined;
    let message = data;
    try {
      if (decompress !== undefined && typeof data !== 'string')
        message = String(decompress(data, { maxOutputLength: MAX_MESSAGE_BYTES }));
      if (client.decompressBinary !== false && isTooDeepMessage(message))
        throw new Error('The venue sent a message that is nested more than 128 levels deep.');
    } catch (error) {
      client.onError(error);
      client.close();
      return;
    }
    onMessage({ data: message });
  };
}

/** Skips short messages: they are parsed quickly, however deeply they are nested. */
function isTooDeepMessage(message: Buffer | string): boolean {
  return message.length > UNCHECKED_LENGTH && isTooDeep(String(message));
}

const DECOMPRESSORS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Replaces the method of ccxt that reads the body of an HTTP response. */
async function readBody({ headers, body }: CcxtResponse, isBinary = false): Promise<Buffer | string> {
  const decompressor = DECOMPRESSORS[String(headers['content-encoding'] ?? '').trim()]?.();
  const limiter = new SizeLimiter();
  const signal = AbortSignal.timeout(RESPONSE_TIMEOUT_MS);
  const whole = buffer(addAbortSignal(signal, limiter));
  // `pipeline` destroys all streams when one fails.
  const streams: (Readable | Transform)[] = decompressor === undefined ? [body] : [body, decompressor];
  const [content] = await Promise.all([whole, pipeline([...streams, limiter])]);
  return isBinary ? content : content.toString();
}

class SizeLimiter extends Transform {
  #bytes = 0;

  override _transform(
    chunk: Buffer,
    _encoding: string,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_RESPONSE_BYTES) done(null, chunk);
    else done(new Error(`The venue sent an HTTP response of more than ${MAX_RESPONSE_BYTES / 2 ** 20} MiB.`));
  }
}
