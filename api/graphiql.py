"""GraphiQL's page, where an operator allows it: Strawberry's, pointed at /graphql, leaving nothing private behind."""

from functools import cache

from strawberry.http.ides import get_graphql_ide_html

_CHECK_THE_SENDER = """
      // The socket of a token that is not valid is closed, and GraphiQL's client would connect again for a minute
      // without a word. So each subscription is preceded by a query, whose error says what is wrong.
      async function fetcherThatExplains(request, options) {
        const starts = ({ kind, operation, name }) => kind === "OperationDefinition" && operation === "subscription"
          && (!request.operationName || name?.value === request.operationName);
        if (options?.documentAST?.definitions.some(starts)) {
          const headers = { "content-type": "application/json", ...options.headers };
          const body = JSON.stringify({ query: "{ eventCursor }" });
          const { errors } = await (await fetch(fetchURL, { method: "POST", headers, body })).json();
          if (errors) return { errors };
        }
        return fetcher(request, options);
      }

      function GraphiQLWithExplorer() {"""

_CHANGES = (
    ('window.location.href.split("?")[0]', 'new URL("/graphql", window.location.href).toString()'),
    # The history keeps headers whatever else is set, so a token would lie in the browser's storage for whoever comes
    # next; and variables hold private reasons, which have no place in the address bar. Only the query stays, there.
    ("shouldPersistHeaders: true,", "shouldPersistHeaders: false, storage: null,"),
    ("updateURL({ variables: newVariables });", ""),
    (
        "React.useState(parameters.headers)",
        """React.useState('{"Authorization": "Bearer PASTE-A-TOKEN"}')""",
    ),
    ("\n      function GraphiQLWithExplorer() {", _CHECK_THE_SENDER),
    ("fetcher: fetcher,", "fetcher: fetcherThatExplains,"),
    ("Strawberry GraphiQL", "Resolution Center · GraphiQL"),
)


@cache
def graphiql_page() -> str:
    """The page. Raises when a release of Strawberry no longer has what is changed here."""
    html = get_graphql_ide_html(graphql_ide="graphiql")
    for old, new in _CHANGES:
        if old not in html:
            raise LookupError(f"Strawberry's page has no {old!r} any more")
        html = html.replace(old, new)
    return html
