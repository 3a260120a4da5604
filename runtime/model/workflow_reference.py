"""What a workflow is referred to by: its class, its run method or the function."""

from __future__ import annotations

from types import FunctionType

from .definitions import DEFINITION, WorkflowDefinition
from .mistakes import refuse_a_call, refuse_an_instance

__all__ = ["workflow_asked_for", "workflow_definition_of"]


def workflow_definition_of(target: object) -> WorkflowDefinition:
    """The definition of a class, a function or a run method.

    Raises:
        TypeError: it was never declared as a workflow (its base may be), or it is an instance of a workflow class or
            the method of one.
    """
    definition = getattr(target, DEFINITION, None)
    if isinstance(definition, WorkflowDefinition) and (definition.target is target or isinstance(target, FunctionType)):
        return definition
    kind = type(target)
    refuse_a_call("workflow", target)
    if hasattr(kind, DEFINITION):
        raise TypeError(
            f"this is an instance of the workflow class {kind.__name__}, and each run makes its own; "
            f"pass {kind.__name__} or {kind.__name__}.{getattr(kind, DEFINITION).run.__name__}"
        )
    refuse_an_instance(target)
    if not isinstance(definition, WorkflowDefinition) or isinstance(target, type):
        # A class may have the definition of its base.
        raise TypeError(f"{target!r} is not a workflow; declare its class or function with @workflow.defn")
    return definition


def workflow_asked_for(target: object) -> WorkflowDefinition:
    """The same, for one that is to run: of one workflow type.

    Raises:
        TypeError: as ``workflow_definition_of``; or it runs every type, and none in particular.
    """
    definition = workflow_definition_of(target)
    if definition.is_dynamic:
        raise TypeError(
            f"{definition.place} is dynamic and runs every workflow type that is not declared; "
            "pass the name of the one you mean"
        )
    return definition
