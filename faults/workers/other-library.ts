// Loaded before a worker script: its imports of `tickbus`, direct and indirect, use the library of another checkout.

import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A file of that checkout, from which the name of the package is resolved. */
const importer = pathToFileURL(join(process.env.TICKBUS_CHECKOUT ?? '', 'faults/main.ts')).href;

const hooks = `export function resolve(specifier, context, next) {
  const isLibrary = specifier === 'tickbus' || specifier.startsWith('tickbus/');
  return next(specifier, isLibrary ? { ...context, parentURL: ${JSON.stringify(importer)} } : context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
