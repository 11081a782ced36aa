"""GET /v1/models/NAME/versions/VERSION/portable: a model for whoever walks it, the bridge inside ksqlDB above all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from udf_server.errors import ModelError, ServiceError
from udf_server.http.auth import Tokens
from udf_server.http.message import Request, Response
from udf_server.models.store import LIVE
from udf_server.portable.document import NotPortable, digest_of, portable
from udf_server.portable.functions import may_have
from udf_server.service import Service

_KEPT: Final = 16


class PortableModels:
    """The portable forms of a service's models. A version never changes, so the latest few are kept."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._forms: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def answer(self, request: Request, name: str, text: str, tokens: Tokens | None) -> Response:
        """The form, or 304 to who has it; raises ServiceError for a model there is not, that has no such form, or that
        the token may not have."""
        version = self._service.models.serving(name) if text == LIVE else int(text)
        if tokens is not None:
            allowed = tokens.functions_of(request.headers.get("authorization"))
            if not may_have(self._service.catalog, allowed, name, self._kind(name, version)):
                raise ServiceError(403, "FORBIDDEN", f"this token may call no function that is model {name}")
        if version is None:
            raise ServiceError(404, "UNKNOWN_MODEL", f"there is no model {name}")
        form = self._forms.get((name, version))
        if form is None:
            loop = asyncio.get_running_loop()
            form = await loop.run_in_executor(None, self._made, name, version)
            self._forms[name, version] = form
            while len(self._forms) > _KEPT:
                self._forms.popitem(last=False)
        headers = [("etag", f'"{digest_of(form)}"'), ("x-model-version", str(version))]
        if request.headers.get("if-none-match") == headers[0][1]:
            return Response(304, b"", headers=headers)
        return Response(200, form, "application/x-ndjson", headers=headers)

    def _kind(self, name: str, version: int | None) -> str | None:
        try:
            return None if version is None else self._service.models.store.metadata(name, version).kind
        except ModelError:
            return None

    def _made(self, name: str, version: int) -> bytes:
        store = self._service.models.store
        if version not in store.versions(name):
            raise ServiceError(404, "UNKNOWN_VERSION", f"there is no model {name} version {version}")
        try:
            return portable(*store.read(name, version))
        except NotPortable as error:
            raise ServiceError(406, "NOT_PORTABLE", str(error)) from error
        except ModelError as error:
            raise ServiceError(503, "UNAVAILABLE", str(error)) from error
