"""From a plan to work: whom to ask, what to sign, when to publish, what to measure."""

from serving.workflow.files import write_workflow

__all__ = ["write_workflow"]
