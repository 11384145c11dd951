// A client of the REST API. Its types are generated from docs/openapi.yaml: `npm run generate`.
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Portfolio = components["schemas"]["Portfolio"];
export type ApiError = components["schemas"]["Error"];
type Tokens = components["schemas"]["Tokens"];

/** A client that is signed in. An access token that has ended is renewed, once for all calls that wait for it. */
export async function signIn(baseUrl: string, username: string, password: string) {
  const open = createClient<paths>({ baseUrl });
  const { data, error } = await open.POST("/api/v1/auth/login", { body: { username, password } });
  if (!data) throw new Error(error.errors[0]?.detail);
  let tokens: Tokens = data;
  let renewal: Promise<void> | undefined;

  async function renew(): Promise<void> {
    const { data } = await open.POST("/api/v1/auth/refresh", { body: { refresh: tokens.refresh } });
    if (!data) throw new Error("Sign in again.");
    tokens = data;
  }

  const bearer: Middleware = {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access}`);
      return request;
    },
    async onResponse({ request, response }) {
      if (response.status !== 401 || request.method !== "GET") return response; // a body can be sent only once
      renewal ??= renew().finally(() => (renewal = undefined));
      await renewal;
      return fetch(new Request(request, { headers: { Authorization: `Bearer ${tokens.access}` } }));
    },
  };
  const client = createClient<paths>({ baseUrl });
  client.use(bearer);
  return client;
}
