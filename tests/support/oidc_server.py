"""An OpenID provider on this machine, whose answers a test may change."""

import base64
import http.client
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

from batchlock.web.auth.tokens import code_challenge
from support.commands import TIMEOUT_SECONDS
from support.visitor import Visitor

with warnings.catch_warnings():
    # Shows its warnings whatever the filters are, from this import on.
    import authlib.deprecate

    # Of parts of Authlib that will go, and that the provider uses.
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    import oidc_provider_mock

SECRET = "c0nfidential+/%"  # it must arrive as it is, although a form encodes it
CLIENT = "batchlock"

Forge = Callable[[dict[str, Any], RSAKey], str]
"""Makes the ID token that is handed out: of the claims of the real one, and the provider's key."""


def signed(claims: dict[str, Any], key: RSAKey, *, kid: str | None = None) -> str:
    """Return an ID token with these claims."""
    return jwt.encode({"alg": "RS256", "kid": kid or key.kid}, claims, key)


class OidcServer:
    """The provider. It knows the people of `put`, and hands out what `forge` makes."""

    def __init__(self) -> None:
        self.url = ""
        self.forge: Forge = signed
        self.key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
        self.userinfo: dict[str, Any] | None = None
        """What the userinfo endpoint says; None: the real answer."""
        self.token_status = 200
        self.verified = 0
        """How many code verifiers fitted their challenge."""
        self._challenges: dict[str, str] = {}

    def put(self, subject: str, name: str, *groups: str, **claims: object) -> None:
        """Add a person, or change what the provider says of one."""
        body = {"name": name, "groups": list(groups), **claims}
        address = urlsplit(self.url)
        assert address.hostname is not None
        connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=TIMEOUT_SECONDS
        )
        headers = {"Content-Type": "application/json"}
        connection.request("PUT", f"/users/{subject}", flask.json.dumps(body), headers)
        assert connection.getresponse().status == 204
        connection.close()

    def consent(self, authorization_url: str, subject: str, *, deny: bool = False) -> str:
        """Sign in at the provider; return the path and query on which it leads back."""
        url = urlsplit(authorization_url)
        assert f"{url.scheme}://{url.netloc}" == self.url
        body = urlencode({"action": "deny"} if deny else {"sub": subject}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = Visitor(self.url).request("POST", f"{url.path}?{url.query}", body, headers)
        assert answer.status == 302, answer.words
        back = urlsplit(answer.location)
        state = parse_qs(url.query)["state"][0]
        # The provider leaves the state out where somebody declines.
        query = back.query if "state=" in back.query else f"{back.query}&state={state}"
        return f"{back.path}?{query}"

    def application(self) -> flask.Flask:
        """Return the provider with a check of the code challenge, which it lacks."""
        app: flask.Flask = oidc_provider_mock.app(require_nonce=True)

        def before() -> flask.Response | None:
            if flask.request.path == "/jwks":
                keys = [self.key.as_dict(private=False)]
                return flask.jsonify({"keys": keys})
            if flask.request.path == "/userinfo" and self.userinfo is not None:
                return flask.jsonify(self.userinfo)
            if flask.request.path != "/oauth2/token":
                return None
            form, client = flask.request.form, flask.request.authorization
            assert client is not None
            assert (client.username, client.password) == (CLIENT, "c0nfidential%2B%2F%25")
            challenge = self._challenges.pop(form["code"], "")
            if challenge != code_challenge(form["code_verifier"]):
                return flask.make_response({"error": "invalid_grant"}, 400)
            self.verified += 1
            if self.token_status != 200:
                return flask.make_response({"error": "server_error"}, self.token_status)
            return None

        def after(response: flask.Response) -> flask.Response:
            request = flask.request
            if request.path == "/oauth2/authorize" and response.status_code == 302:
                code = parse_qs(urlsplit(response.location).query).get("code", [""])[0]
                assert request.args["code_challenge_method"] == "S256"
                self._challenges[code] = request.args["code_challenge"]
            if request.path == "/oauth2/token" and response.status_code == 200:
                answer = response.get_json()
                payload = answer["id_token"].split(".")[1]
                claims = flask.json.loads(base64.urlsafe_b64decode(payload + "=="))
                answer["id_token"] = self.forge(claims, self.key)
                response.set_data(flask.json.dumps(answer))
            return response

        app.before_request(before)
        app.after_request(after)
        return app


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: a request has what must stand in no log of the page."""


@contextmanager
def oidc_server() -> Iterator[OidcServer]:
    """Run a provider in a thread."""
    provider = OidcServer()
    server = make_server(
        "localhost", 0, provider.application(), threaded=True, request_handler=_QuietHandler
    )
    provider.url = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
