"""The introduction of the OpenAPI schema: what all calls have in common.

`docs/clients.md` says the same to those who build a client.
"""

INTRODUCTION = """\
Portfolios, prices, pensions and net worth of one person or family.

**Sign-in.** `POST /auth/login` returns an access token and a refresh token. Send the access token
with every request: `Authorization: Bearer …`. It lives 15 minutes unless the server is set up
otherwise. On a 401, `POST /auth/refresh` returns a new pair; each refresh token works once, so let
all requests wait for one renewal. The project's own pages use the session cookie with a CSRF token.

**Errors.** Every error has the same envelope: `type`, `errors` and `request_id`. In each entry of
`errors`, `code` is for programs, `detail` for people, and `attr` names the field or parameter. The
`request_id` is also in the header `X-Request-ID` and in the server's log. 400 means that the
request cannot be read, 404 that the user has no such object, 409 that it conflicts with stored
data, and 422 that a field or a rule does not hold. 429 and 503 have the header `Retry-After`.

**Unknown names.** An unknown query parameter is refused with 400 (`unknown_parameter`), one that is
given twice with 400 (`repeated_parameter`), and an unknown field of a body with 422
(`unknown_field`). Several values of a parameter are separated by commas; `x[]` is read as `x`.
Reports accept `start`, `end`, `interval` and `benchmark` everywhere and ignore those that have no
meaning there. Fields of an answer that cannot be set are ignored in a body, so you can send an
object back as you got it. A PATCH that changes a field which another call sets is refused with 422
(`read_only`).

**Money and numbers.** Amounts, quantities, prices and rates are JSON numbers with their exact
digits. To calculate with them, parse them as decimals; for display, a float is enough. A request
may also send them as strings. Shares of a whole and rates of return are fractions: 0.12 is 12 %.
Dates are `YYYY-MM-DD`, times are in UTC and end in `Z`, and ids are UUIDs.

**null.** A `null` in an answer comes with a reason or an entry under `missing`; it never means 0.
In a request, an optional field that is `null` or an optional query parameter that is empty counts
as left out, except where `null` is a value of the field, which is then cleared.

**Pages.** Long lists come in pages, newest first. Some answer `{next, previous, results}`, where
`next` and `previous` are addresses. The others answer an array, and the header `Link` leads to the
next page. A cursor that cannot be read is refused with 400.
"""
