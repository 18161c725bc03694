"""An identity provider for a test: keys, and a real server that publishes them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA_KEY = rsa.generate_private_key(65537, 2048)
NEW_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def jwk(key: PrivateKey, kid: str | None, **members: object) -> dict[str, object]:
    """The public half, as a provider publishes it."""
    match key:
        case rsa.RSAPrivateKey():
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **members}


class Provider:
    """An identity provider's key address: a real server that a test can turn, slow down, break and stop."""

    def __init__(self) -> None:
        self.keys: list[dict[str, object]] = [jwk(RSA_KEY, "one", use="sig", alg="RS256")]
        self.status = 200
        self.body: bytes | None = None
        self.pause_between_bytes = 0.0
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for answering in self._answering:
            answering.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.add(asyncio.create_task(self._speak(reader, writer)))

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await reader.readuntil(b"\r\n\r\n")
                await self._answer(writer)
            finally:
                writer.close()
                await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await self.open.wait()
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        head = (
            f"HTTP/1.1 {self.status} X",
            "location: /elsewhere",
            f"content-length: {len(body)}",
            "connection: close",
        )
        writer.write("\r\n".join((*head, "", "")).encode())
        pieces = [body] if not self.pause_between_bytes else [bytes([byte]) for byte in body]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self.pause_between_bytes)


@contextlib.asynccontextmanager
async def a_provider() -> AsyncIterator[Provider]:
    """A provider that answers for as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        provider = Provider()
        await provider.start()
        try:
            yield provider
        finally:
            provider.open.set()
            await provider.stop()
