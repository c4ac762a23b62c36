"""The plugin API of interlingua: what a third-party middleware or provider needs, and nothing else."""

from gateway.call import Call
from gateway.dialect import Dialect
from gateway.plugin import Middleware, Next, Provider
from gateway.reply import Reply, Stream

__all__ = ["Call", "Dialect", "Middleware", "Next", "Provider", "Reply", "Stream"]
