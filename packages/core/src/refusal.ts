/** Thrown inside a parser for text that it does not accept, and caught where it begins. */
export class Refusal extends Error {}
