"""The one shape of an error: `{"code", "message", "fields": [{"field", "message"}]}`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from calendar_api.models import BROKEN_ORDER, RULES


class Problem(Exception):
    """An answer that is an error. `fields` maps the names of the fields at fault to what is wrong with them."""

    def __init__(self, status: HTTPStatus, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or {}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        document = {
            "code": self.code,
            "message": self.message,
            "fields": [{"field": field, "message": message} for field, message in sorted(self.fields.items())],
        }
        return Response(orjson.dumps(document), self.status, headers, media_type="application/json")


def bad_json() -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "bad_json", "the body must be a JSON object")


def invalid(fields: Mapping[str, str]) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "the request is not valid", fields)


def not_found() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")


def _field_messages(errors: Sequence[Any]) -> dict[str, str]:
    """Pydantic's errors → one message for each field at fault."""
    messages: dict[str, str] = {}
    for error in errors:
        field = str(error["loc"][-1])
        match error["type"]:
            case "extra_forbidden":
                messages[field] = "is not a known key"
            case kind if kind == BROKEN_ORDER:
                messages[field] = error["msg"]
            case _:
                messages[field] = RULES[field]
    return messages


def _answer_problem(request: Request, error: Problem) -> Response:
    return error.response()


def _answer_validation_error(request: Request, error: RequestValidationError) -> Response:
    return invalid(_field_messages(error.errors())).response()


def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return not_found().response()
    status = HTTPStatus(error.status_code)
    return Problem(status, status.name.lower(), status.phrase.lower()).response(error.headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Makes every error of the application an answer of the one shape."""
    # Starlette types a handler as one of any Exception; each of these takes the class that it is registered for.
    app.add_exception_handler(Problem, _answer_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _answer_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _answer_http_exception)  # type: ignore[arg-type]
