"""Who answers which query, from what the run is at that moment."""

from __future__ import annotations

from inspect import isawaitable, iscoroutine

from ..model.articles import with_article
from ..model.errors import NotRegisteredError, PayloadDecodeError
from ..model.handler_definitions import HandlerDefinition
from ..model.misfits import result_misfit
from ..model.payload_converter import PayloadConverter
from .handler_table import HandlerError, HandlerTable

__all__ = ["Queries"]


class Queries(HandlerTable):
    """The query handlers of one run.

    Args:
        converter: gives the arguments, as their types say, and stores the answer.
    """

    __slots__ = ("_converter",)

    def __init__(self, converter: PayloadConverter) -> None:
        super().__init__()
        self._converter = converter

    def answer(self, name: str, args: bytes) -> bytes:
        """Have a query answered; gives the payload of the answer.

        Raises:
            NotRegisteredError: nobody answers a query of that name.
            PayloadError: the arguments do not fit the handler's annotations, or the answer does not fit its own.
            TypeError: the number of arguments does not fit, or the handler gives something to be awaited.
            HandlerError: the handler has raised something, whatever that is.
        """
        handler = self.hearing(name)
        if handler is None:
            raise NotRegisteredError("query", name, self.names())
        values = handler.decoded(args, self._converter)
        problem = handler.problem_with(values)
        if problem is not None:
            raise TypeError(f"its handler {problem}")
        try:
            answer = handler.fn(name, *values) if handler.dynamic else handler.fn(*values)
        except BaseException as error:
            # User code: whatever it raises is for who has asked, and must not end more than this.
            raise HandlerError from error
        return self._stored(name, handler, answer)

    def _stored(self, name: str, handler: HandlerDefinition, answer: object) -> bytes:
        if isawaitable(answer):
            if iscoroutine(answer):
                answer.close()
            raise TypeError(
                f"its handler gives {with_article(type(answer).__name__)}, and a query cannot wait: write it without "
                "async"
            )
        data = self._converter.encode(answer)
        try:
            self._converter.check(answer, data, handler.result_type)
        except Exception as error:  # a user's converter may raise anything
            message = result_misfit("query", name, answer, handler.result_type, error)
            raise PayloadDecodeError("", message) from error
        return data
