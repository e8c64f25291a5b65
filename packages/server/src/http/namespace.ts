/** Whose data a request is about. Without API keys everything is in one namespace. */
export const DEFAULT_NAMESPACE = "default";
