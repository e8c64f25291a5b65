/** `/tasks/{id}:cancel`: in the router's language a parameter that ends before the colon, which has to be doubled. */
export function verb(collection: string, parameter: string, name: string): string {
  return `${collection}/:${parameter}(^[^:/]+)::${name}`;
}

/** `/tasks:batch` */
export function collectionVerb(collection: string, name: string): string {
  return `${collection}::${name}`;
}
